"""Frames, bars and lines around a picture are found with their depth; products and scenes are not taken for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.imagery.compliance.mutations import framed, good
from tests.vision.imagery.compliance.shots import placed, scene
from vision.image import decode
from vision.imagery.compliance.border import Drawn, drawn

NONE = Drawn()


@settings(max_examples=15, deadline=None)
@given(
    depth=st.integers(1, 40),
    colour=st.tuples(*[st.integers(0, 200)] * 3),
    seed=st.integers(0, 99),
    jpeg=st.booleans(),
)
def test_a_frame_is_found_with_its_depth(
    depth: int, colour: tuple[int, int, int], seed: int, jpeg: bool
) -> None:
    shot = framed(placed(np.random.default_rng(seed), size=640, fill=0.8), depth, colour)
    image_hwc = decode(shot.encoded()).image_hwc if jpeg else shot.image_hwc
    found = drawn(image_hwc)
    for side in (found.left, found.top, found.right, found.bottom):
        assert abs(side - depth) <= (2 if jpeg else 0), f"{found} for {depth}"


def test_a_line_within_the_white_is_found() -> None:
    shot = framed(placed(np.random.default_rng(1), size=640, fill=0.8), 3, (200, 0, 0), inset=20)
    assert drawn(shot.image_hwc) == Drawn(left=23, top=23, right=23, bottom=23)


def test_bars_above_and_below_a_scene_are_found() -> None:
    image = scene(np.random.default_rng(3), 400)
    image[:30] = image[-50:] = 0
    assert drawn(image) == Drawn(top=30, bottom=50)
    assert drawn(np.ascontiguousarray(image.swapaxes(0, 1))) == Drawn(left=30, right=50)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["amazon.main", "google.merchant"])
def test_a_good_image_has_nothing_drawn_around_it(name: str, seed: int) -> None:
    for told in (True, False):
        assert drawn(good(name, np.random.default_rng(seed), told=told).image_hwc) == NONE


def test_a_square_box_on_white_is_no_frame() -> None:
    image = np.full((400, 400, 3), 255, np.uint8)
    image[20:-20, 20:-20] = (120, 80, 40)
    assert drawn(image) == NONE


def test_a_picture_of_one_colour_has_no_frame() -> None:
    assert drawn(np.full((50, 50, 3), 90, np.uint8)) == NONE


@given(side=st.integers(8, 24), level=st.integers(0, 255))
def test_the_smallest_pictures_are_measured_too(side: int, level: int) -> None:
    image = np.full((8, side, 3), level, np.uint8)
    image[3:5, 3:5] = 255 - level
    drawn(image)
