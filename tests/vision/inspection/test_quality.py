"""A picture that cannot be judged is told from one that can, and what is wrong with it is said."""

from typing import Final

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundles import part
from vision.image import Pixels
from vision.inspection.quality import Quality, QualityLimits, limits_from, measure

USUAL: Final = Quality(sharpness=100, brightness=120, contrast=30, clipped=0.01)
LIMITS: Final = QualityLimits(
    min_sharpness=50, min_brightness=60, max_brightness=180, min_contrast=15, max_clipped=0.05
)


def grey(levels: list[list[int]]) -> Pixels:
    return np.repeat(np.array(levels, np.uint8)[:, :, None], 3, axis=2)


def test_a_uniform_picture_has_brightness_alone() -> None:
    expected = Quality(sharpness=0, brightness=77, contrast=0, clipped=0)
    assert measure(grey([[77] * 16] * 16)) == expected


def test_a_board_of_black_and_white_is_all_contrast() -> None:
    measured = measure(grey([[0, 255] * 8, [255, 0] * 8] * 8))
    assert measured.brightness == pytest.approx(127.5)
    assert measured.contrast == pytest.approx(127.5)
    assert measured.clipped == 0.5
    assert measured.sharpness == pytest.approx((4 * 255) ** 2)  # the Laplacian is 4 x 255 up and down in turn


def test_brightness_weighs_colours_as_the_eye_does() -> None:
    for colour, weight in (((255, 0, 0), 0.299), ((0, 255, 0), 0.587), ((0, 0, 255), 0.114)):
        picture = np.full((16, 16, 3), colour, np.uint8)
        assert measure(picture).brightness == pytest.approx(255 * weight, abs=0.5)


def test_blurring_takes_sharpness_and_leaves_brightness() -> None:
    before = measure(part())
    after = measure(np.asarray(cv2.GaussianBlur(part(), (0, 0), 3), np.uint8))
    assert after.sharpness < before.sharpness / 10
    assert after.brightness == pytest.approx(before.brightness, abs=1)


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        (USUAL, None),
        (Quality(sharpness=50, brightness=60, contrast=15, clipped=0.05), None),  # at the limits
        (Quality(sharpness=50, brightness=180, contrast=15, clipped=0.05), None),
        (Quality(sharpness=49, brightness=120, contrast=30, clipped=0), "blurred: sharpness 49, limit 50"),
        (Quality(sharpness=100, brightness=59, contrast=30, clipped=0), "too dark: brightness 59, limit 60"),
        (
            Quality(sharpness=100, brightness=181, contrast=30, clipped=0),
            "too bright: brightness 181, limit 180",
        ),
        (
            Quality(sharpness=100, brightness=120, contrast=14, clipped=0),
            "blank frame: contrast 14, limit 15",
        ),
        (
            Quality(sharpness=100, brightness=120, contrast=30, clipped=0.06),
            "overexposed: clipped share 0.06, limit 0.05",
        ),
        # a blank frame is dark and blurred as well; that it is blank says it best
        (Quality(sharpness=0, brightness=0, contrast=0, clipped=0), "blank frame: contrast 0, limit 15"),
    ],
)
def test_what_is_wrong_is_said_with_its_limit(quality: Quality, expected: str | None) -> None:
    assert LIMITS.fault(quality) == expected


@pytest.mark.parametrize("level", [0, 255])
def test_without_limits_of_its_own_a_bundle_still_refuses_blank_frames(level: int) -> None:
    assert QualityLimits().fault(measure(grey([[level] * 16] * 16)))
    assert QualityLimits().fault(measure(part())) is None


def qualities() -> st.SearchStrategy[Quality]:
    return st.builds(
        Quality,
        sharpness=st.floats(0, 1e5),
        brightness=st.floats(0, 255),
        contrast=st.floats(0, 128),
        clipped=st.floats(0, 1),
    )


@settings(deadline=None)
@given(st.lists(qualities(), min_size=1, max_size=10))
def test_pictures_that_set_the_limits_keep_them(measured: list[Quality]) -> None:
    limits = limits_from(measured)
    assert [limits.fault(one) for one in measured] == [None] * len(measured)


def test_limits_lie_well_beyond_the_pictures_that_set_them() -> None:
    limits = limits_from([USUAL, Quality(sharpness=300, brightness=155, contrast=20, clipped=0.1)])
    assert limits == QualityLimits(
        min_sharpness=50, min_brightness=60, max_brightness=205, min_contrast=10, max_clipped=0.17
    )
