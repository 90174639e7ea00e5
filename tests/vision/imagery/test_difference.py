"""The difference map is black where the product was left alone, and any change in it shines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.imagery.products import blob, noise
from vision.image import decode, encode_png
from vision.imagery.brief import Layout
from vision.imagery.compose.blend import compose
from vision.imagery.compose.place import place
from vision.imagery.difference import difference_map, smaller
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


@given(
    width=st.integers(64, 250),
    height=st.integers(64, 250),
    most_px=st.integers(64, 300),
    at=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
)
def test_made_smaller_it_still_shines_in_its_place(
    width: int, height: int, most_px: int, at: tuple[float, float]
) -> None:
    shown = np.full((height, width, 3), 20, np.uint8)
    y, x = int(at[0] * height), int(at[1] * width)
    shown[y, x, 1] = 128
    reduced = decode(smaller(encode_png(shown), most_px)).image_hwc
    assert max(reduced.shape[:2]) <= most_px
    ((found_y, found_x, channel),) = np.argwhere(reduced > 20)
    block = -(-max(width, height) // most_px)
    assert (found_y, found_x, channel) == (y // block, x // block, 1)


def test_small_enough_it_stays_as_it_is() -> None:
    shown = noise(60, 40)
    assert np.array_equal(decode(smaller(encode_png(shown), 60)).image_hwc, shown)
