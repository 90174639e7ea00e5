"""Each of the four shares falls for its own reason, and a designer is told what to look at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vision.image import Pixels
from vision.imagery.cutout.backdrop import Mask
from vision.imagery.cutout.quality import Quality, contrast, judge, overlap, warnings

GOOD = Quality(contrast=1, agreement=1, framing=1, size=1)
PLANES = arrays(bool, (8, 8))


def plane(*boxes_xyxy: tuple[int, int, int, int]) -> Pixels:
    alpha = np.zeros((100, 100), np.uint8)
    for left, top, right, bottom in boxes_xyxy:
        alpha[top:bottom, left:right] = 255
    return alpha


def photo(alpha: Pixels, product: int, backdrop: int) -> Pixels:
    return np.asarray(np.where(alpha[:, :, None] > 0, product, backdrop) * np.ones(3), np.uint8)


def test_an_edge_between_black_and_white_has_full_contrast_and_one_in_white_none() -> None:
    alpha = plane((30, 30, 70, 70))

    assert contrast(photo(alpha, 0, 255), alpha) == pytest.approx(1)
    assert contrast(photo(alpha, 255, 255), alpha) == pytest.approx(0)


def test_contrast_is_what_the_edge_has_not_what_the_product_has() -> None:
    alpha = plane((30, 30, 70, 70))
    pale = photo(alpha, 255, 255)
    pale[45:55, 45:55] = 0

    assert contrast(pale, alpha) == pytest.approx(0)


def test_a_mask_beside_the_product_has_little_contrast() -> None:
    there = plane((30, 30, 70, 70))
    shifted = plane((45, 45, 85, 85))

    assert contrast(photo(there, 0, 255), shifted) < 0.5


def test_nothing_and_everything_have_no_edge() -> None:
    for alpha in (plane(), plane((0, 0, 100, 100))):
        assert contrast(photo(alpha, 0, 255), alpha) == 0


def test_a_product_along_half_the_border_has_no_framing() -> None:
    assert judge(plane((0, 0, 100, 60)), contrast=1, agreement=1).framing == 0
    assert judge(plane((30, 30, 70, 70)), contrast=1, agreement=1).framing == 1
    assert 0.5 < judge(plane((40, 60, 60, 100)), contrast=1, agreement=1).framing < 1


def test_a_product_below_a_fiftieth_of_the_photo_is_small() -> None:
    assert judge(plane((50, 50, 60, 60)), contrast=1, agreement=1).size == pytest.approx(0.5)


def test_one_bad_share_is_enough() -> None:
    assert GOOD.score == 1
    assert Quality(contrast=1, agreement=0.1, framing=1, size=1).score == pytest.approx(0.1)


def test_a_good_cut_out_needs_no_words() -> None:
    assert warnings(GOOD, plane((30, 30, 70, 70))) == ()


@pytest.mark.parametrize(
    ("alpha", "quality", "said"),
    [
        (plane((30, 60, 70, 100)), GOOD, r"touches the photo's border \(10\.1% of it\)"),
        (plane((10, 10, 40, 40), (60, 60, 90, 90)), GOOD, "2 separate pieces"),
        (
            plane((30, 30, 70, 70)),
            Quality(contrast=0.9, agreement=0.4, framing=1, size=1),
            "least in agreement",
        ),
    ],
)
def test_what_is_doubtful_is_told(alpha: Pixels, quality: Quality, said: str) -> None:
    (warning,) = warnings(quality, alpha)

    assert said.replace("\\", "") in warning


@given(PLANES, PLANES)
def test_overlap_is_a_share_that_is_one_for_the_same_alone(one: Mask, other: Mask) -> None:
    assert overlap(one, one) == 1
    assert overlap(one, other) == overlap(other, one)
    assert 0 <= overlap(one, other) <= 1
    assert (overlap(one, other) == 1) == np.array_equal(one, other)


@given(
    arrays(np.uint8, (20, 24)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_score_is_between_nothing_and_one(alpha: Pixels, of_edge: float, of_methods: float) -> None:
    assert 0 <= judge(alpha, contrast=of_edge, agreement=of_methods).score <= 1
