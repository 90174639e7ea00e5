"""The difference map is black where the product was left alone, and any change in it shines."""

import numpy as np

from tests.vision.imagery.products import blob, noise
from vision.imagery.brief import Layout
from vision.imagery.compose.blend import compose
from vision.imagery.compose.place import place
from vision.imagery.difference import difference_map
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import Scene

PLACED = place(blob((90, 110), 1), Placement(frame_wh=(160, 120), scale=0.9, centre_xy=(80, 60)))
MASTER = compose(Scene(image_hwc=noise(160, 120), layout=Layout(), record={}), PLACED).master_hwc


def test_it_is_black_inside_and_shows_the_scene_around() -> None:
    shown = difference_map(MASTER, PLACED)
    assert not shown[PLACED.locked_hw].any()
    around = PLACED.alpha_hw == 0
    assert np.array_equal(shown[around], MASTER[around] // 3)
    assert np.all(shown[PLACED.edge_hw] == (0, 90, 255))


def test_one_level_in_one_pixel_shines() -> None:
    y, x = np.argwhere(PLACED.locked_hw)[40]
    spoilt = MASTER.copy()
    spoilt[y, x, 1] ^= 1
    shown = difference_map(spoilt, PLACED)
    assert shown[y, x].tolist() == [0, 128, 0]
    shown[y, x] = 0
    assert np.array_equal(shown, difference_map(MASTER, PLACED))
