"""A product comes to its place by the recorded numbers alone, and at its own size with its own pixels."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures import difference
from tests.vision.imagery.products import Thing, blob, block, noise, placements
from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.compose.place import GREY, box_of, place, product_box
from vision.imagery.compose.sampling import sample
from vision.imagery.kept import pixels_sha256
from vision.imagery.placement import Placement

FRAME = (120, 90)


def at(x: float, y: float, *, scale: float = 1.0, degrees: float = 0.0) -> Placement:
    return Placement(frame_wh=FRAME, scale=scale, degrees=degrees, centre_xy=(x, y))


def averaged(image: Pixels, size_wh: tuple[int, int]) -> np.ndarray:
    """Each pixel the mean of the area it covers, by summed areas in float64."""
    sums = np.pad(image.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))

    def along(table: np.ndarray, count: int, axis: int) -> np.ndarray:
        edges = np.arange(count + 1) * (table.shape[axis] - 1) / count
        low = np.minimum(edges.astype(int), table.shape[axis] - 2)
        shape = [1, 1, 1]
        shape[axis] = -1
        part = (edges - low).reshape(shape)
        return np.asarray(table.take(low, axis) * (1 - part) + table.take(low + 1, axis) * part)

    corners = along(along(sums, size_wh[1], 0), size_wh[0], 1)
    areas = np.diff(np.diff(corners, axis=0), axis=1)
    covered = image.shape[0] * image.shape[1] / (size_wh[0] * size_wh[1])
    return np.asarray(areas / covered)


def test_at_its_own_size_the_pixels_are_the_photos_own() -> None:
    thing = block((80, 60), (10, 20, 50, 44))
    placed = place(thing, at(60, 45))
    assert placed.box_xyxy == (40, 33, 80, 57)
    assert np.array_equal(placed.image_hwc[33:57, 40:80], thing.image_hwc[20:44, 10:50])
    assert placed.locked_hw.sum() == 40 * 24


@pytest.mark.parametrize("x", [60.0, 60.2, 60.49])
def test_a_position_between_pixels_moves_to_a_whole_one(x: float) -> None:
    thing = block((80, 60), (10, 20, 50, 44))
    assert np.array_equal(place(thing, at(x, 45)).image_hwc, place(thing, at(60, 45)).image_hwc)


def test_around_the_product_there_is_nothing() -> None:
    placed = place(block((80, 60), (10, 20, 50, 44)), at(60, 45))
    outside = placed.alpha_hw == 0
    assert outside.sum() == FRAME[0] * FRAME[1] - 40 * 24
    assert np.all(placed.image_hwc[outside] == GREY)


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.37, 0.81])
def test_reduced_each_pixel_is_the_mean_of_what_it_covers(scale: float) -> None:
    thing = block((90, 80), (5, 4, 85, 76))
    placed = place(thing, at(60, 45, scale=scale))
    left, top, right, bottom = placed.box_xyxy
    assert (right - left, bottom - top) == (round(80 * scale), round(72 * scale))
    expected = averaged(thing.image_hwc[4:76, 5:85], (right - left, bottom - top))
    found = placed.image_hwc[top:bottom, left:right]
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 3), (180.0, 2), (-90.0, 1)])
def test_quarter_turns_only_move_pixels(degrees: float, turns: int) -> None:
    thing = block((80, 60), (10, 20, 50, 44))
    placed = place(thing, at(60, 45, degrees=degrees))
    left, top, right, bottom = placed.box_xyxy
    expected = np.rot90(thing.image_hwc[20:44, 10:50], turns)
    assert np.array_equal(placed.image_hwc[top:bottom, left:right], expected)
    assert ((left + right) / 2, (top + bottom) / 2) == (60, 45)


@pytest.mark.parametrize("degrees", [3.0, -17.5, 44.0, 121.0])
def test_turned_pixels_are_those_that_opencv_finds(degrees: float) -> None:
    smooth = np.asarray(cv2.GaussianBlur(noise(80, 60), (0, 0), 2), np.uint8)
    thing = Thing(smooth, block((80, 60), (10, 20, 50, 44)).alpha_hw)
    placed = place(thing, at(60, 45, degrees=degrees))
    matrix = cv2.getRotationMatrix2D((30 - 0.5, 32 - 0.5), -degrees, 1.0)
    matrix[:, 2] += (30, 13)
    found = np.asarray(cv2.warpAffine(smooth, matrix, FRAME, flags=cv2.INTER_LINEAR))
    inside = cv2.erode(placed.locked_hw.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert inside.sum() > 500
    assert difference(placed.image_hwc[inside], found[inside]) <= 3


@given(placement=placements(frame_wh=FRAME), seed=st.integers(0, 50))
@settings(deadline=None, max_examples=60)
def test_the_middle_of_the_box_lies_where_it_was_put(placement: Placement, seed: int) -> None:
    thing = blob((40, 30), seed)
    upright = placement.model_copy(update={"degrees": 0.0, "centre_xy": (60.0, 45.0)})
    try:
        left, top, right, bottom = place(thing, upright).box_xyxy
    except ImageryError:  # it has no pixel that is opaque throughout
        return
    assert abs((left + right) / 2 - 60) <= 1.5
    assert abs((top + bottom) / 2 - 45) <= 1.5


@pytest.mark.parametrize("degrees", [0.0, 10.0])
def test_what_falls_outside_of_the_frame_is_cut_off(degrees: float) -> None:
    thing = block((80, 60), (0, 0, 80, 60))
    wide = Placement(frame_wh=(240, 180), scale=1.0, degrees=degrees, centre_xy=(120, 90))
    whole = place(thing, wide)
    for x, y in ((0, 0), (120, 0), (0, 90), (120, 90)):
        placed = place(thing, at(x, y, degrees=degrees))
        window = np.s_[90 - y : 180 - y, 120 - x : 240 - x]
        assert np.array_equal(placed.alpha_hw, whole.alpha_hw[window])
        assert np.array_equal(placed.image_hwc, whole.image_hwc[window])


def test_a_product_without_opaque_pixels_is_refused() -> None:
    thing = block((80, 60), (10, 20, 50, 44))
    with pytest.raises(ImageryError, match="at least half opaque, found none"):
        place(Thing(thing.image_hwc, thing.alpha_hw // 3), at(60, 45))
    with pytest.raises(ImageryError, match="expected opaque pixels in the frame of 120x90, found none"):
        place(Thing(thing.image_hwc, thing.alpha_hw // 2 + 1), at(60, 45))


def test_faint_traces_far_away_do_not_move_the_box() -> None:
    thing = block((80, 60), (10, 20, 50, 44))
    thing.alpha_hw[0, 0] = thing.alpha_hw[59, 79] = 9
    assert product_box(thing.alpha_hw) == (10, 20, 50, 44)
    placed = place(thing, at(60, 45))
    assert placed.box_xyxy == (40, 33, 80, 57)
    assert placed.alpha_hw[13, 30] == 9
    assert placed.edge_hw.sum() == 2


def test_no_box_holds_nothing() -> None:
    assert box_of(np.zeros((4, 5), bool)) is None


def test_samples_between_pixels_are_mixed_and_whole_ones_are_not() -> None:
    image = noise(5, 4)
    as_it_is = np.array([[1.0, 0, 0], [0, 1, 0]])
    assert np.array_equal(sample(image, as_it_is, (5, 4), outside="edge"), image)
    half = np.array([[1.0, 0, 0.5], [0, 1, 0]])
    mixed = sample(image, half, (4, 4), outside="edge")
    assert np.array_equal(mixed, (image[:, :-1].astype(int) + image[:, 1:] + 1) // 2)
    far = np.array([[1.0, 0, 90], [0, 1, -90]])
    assert np.all(sample(image, far, (3, 3), outside="constant") == 0)
    assert np.all(sample(image, far, (3, 3), outside="edge") == image[0, -1])


PLACED = """
import cv2, sys
from tests.vision.imagery.products import blob
from vision.imagery.compose.place import place
from vision.imagery.kept import pixels_sha256
from vision.imagery.placement import Placement
cv2.setNumThreads(int(sys.argv[1]))
placed = place(blob((400, 300), 7), Placement(frame_wh=(640, 480), scale=float(sys.argv[2]), degrees=float(sys.argv[3]), centre_xy=(320, 240)))
print(pixels_sha256(placed.image_hwc))
"""


@pytest.mark.parametrize(("scale", "degrees"), [(0.73, 0.0), (1.31, 12.0)])
def test_another_process_with_other_threads_places_the_same_pixels(scale: float, degrees: float) -> None:
    placement = Placement(frame_wh=(640, 480), scale=scale, degrees=degrees, centre_xy=(320, 240))
    here = pixels_sha256(place(blob((400, 300), 7), placement).image_hwc)
    for threads in ("1", "4"):
        command = [sys.executable, "-c", PLACED, threads, str(scale), str(degrees)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here
