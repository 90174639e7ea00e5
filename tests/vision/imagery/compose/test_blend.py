"""In the master the product's pixels are the placed ones, the edge has the product's colour, and white stays white."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.imagery.products import LAYOUTS, blob, noise, placements
from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.compose.blend import compose
from vision.imagery.compose.place import Placed, place
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import Scene

FRAME = (160, 120)


def scene(image: Pixels, layout: Layout | None = None) -> Scene:
    return Scene(image_hwc=image, layout=layout or Layout(), record={})


def ball(colour: tuple[int, int, int], backdrop: int) -> Placed:
    """A ball of one colour, photographed before a backdrop that shows through its soft edge."""
    alpha = np.zeros((120, 160), np.uint8)
    cv2.circle(alpha, (80, 60), 30, 255, -1)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.5), np.uint8)
    opacity = alpha[:, :, None] / 255
    image = np.rint(np.array(colour) * opacity + backdrop * (1 - opacity)).astype(np.uint8)
    return Placed(image_hwc=image, alpha_hw=alpha)


@given(
    seed=st.integers(0, 1000), placement=placements(frame_wh=FRAME), layout=LAYOUTS, ground=st.integers(0, 9)
)
@settings(deadline=None, max_examples=60)
def test_opaque_pixels_are_the_placed_products(
    seed: int, placement: Placement, layout: Layout, ground: int
) -> None:
    try:
        placed = place(blob((90, 110), seed), placement)
    except ImageryError:  # too little of it is in the frame
        return
    composition = compose(scene(noise(*FRAME, ground), layout), placed)
    locked = placed.locked_hw
    assert np.array_equal(composition.master_hwc[locked], placed.image_hwc[locked])
    assert composition.record.values["locked_pixels"] == locked.sum()
    assert composition.record.values["edge_pixels"] == placed.edge_hw.sum()


def test_where_there_is_no_product_and_no_light_the_scene_is_left_alone() -> None:
    placed = place(blob((90, 110), 4), Placement(frame_wh=FRAME, scale=0.8, centre_xy=(80, 60)))
    ground = noise(*FRAME)
    master = compose(scene(ground), placed).master_hwc
    assert np.array_equal(master[placed.alpha_hw == 0], ground[placed.alpha_hw == 0])


def test_plain_white_stays_white() -> None:
    placed = ball((90, 40, 30), 255)
    white = np.full((120, 160, 3), 255, np.uint8)
    composition = compose(scene(white), placed)
    assert np.all(composition.master_hwc[placed.alpha_hw == 0] == 255)
    assert composition.record.values["exposure"] == 1.0
    assert composition.record.values["shadow"] is None


def test_a_white_backdrop_leaves_no_fringe_on_a_dark_scene() -> None:
    placed = ball((200, 20, 20), 255)
    black = np.zeros((120, 160, 3), np.uint8)
    master = compose(scene(black), placed).master_hwc
    edge = placed.edge_hw & (placed.alpha_hw > 20)
    naive = placed.image_hwc.astype(int) * placed.alpha_hw[:, :, None] // 255
    assert naive[edge][:, 1].max() > 60  # white shows through
    assert master[edge][:, 1].max() <= 35
    red = master[edge][:, 0].astype(int)
    assert np.abs(red - 200 * placed.alpha_hw[edge].astype(int) / 255).max() <= 15


def test_an_edge_far_from_anything_opaque_keeps_its_own_colour() -> None:
    placed = ball((200, 20, 20), 255)
    placed.alpha_hw[5:9, 5:9] = 100
    placed.image_hwc[5:9, 5:9] = (10, 200, 10)
    master = compose(scene(np.zeros((120, 160, 3), np.uint8)), placed).master_hwc
    assert master[6, 6].tolist() == [4, 78, 4]


def test_light_and_shadow_are_recorded_with_their_numbers() -> None:
    placed = ball((250, 250, 250), 255)
    dim = np.full((120, 160, 3), 150, np.uint8)
    record = compose(scene(dim, Layout(horizon=0.5, light=Light.LEFT)), placed).record
    assert record.values["exposure"] == 0.75
    assert record.values["shadow"] == {"contact": 0.55, "cast": 0.38, "right": 0.55, "back": 0.16}
    assert set(record.fingerprint) == {"opencv", "numpy"}


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (noise(120, 160), "uint8 of (160, 120, 3)"),
        (noise(160, 120).astype(np.float32), "float32 of (120, 160, 3)"),
        (noise(160, 120)[:, :, 0], "uint8 of (120, 160)"),
    ],
)
def test_a_scene_of_another_shape_is_refused(image: Pixels, found: str) -> None:
    with pytest.raises(ImageryError) as refused:
        compose(scene(image), ball((1, 2, 3), 255))
    assert str(refused.value).endswith(f"found {found}")
