"""The backdrop is learned from the border though the product touches it, and what is unlike it is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.image import Pixels
from vision.imagery.cutout.backdrop import grab, lab, learn, open_to_border

SIDE = 160
LEVEL = st.integers(60, 230)


def ramp(left: int, right: int, top: int, bottom: int) -> Pixels:
    """A backdrop that changes in both directions."""
    x, y = np.meshgrid(np.linspace(left, right, SIDE), np.linspace(top, bottom, SIDE))
    return np.asarray(np.dstack([(x + y) / 2] * 3), np.uint8)


@settings(deadline=None, max_examples=40)
@given(LEVEL, LEVEL, LEVEL, LEVEL)
def test_a_backdrop_that_grows_darker_is_backdrop_throughout(
    left: int, right: int, top: int, bottom: int
) -> None:
    assert learn(ramp(left, right, top, bottom)).distance_hw.max() < 5


def test_a_product_that_stands_on_the_border_does_not_become_backdrop() -> None:
    photo = ramp(200, 220, 200, 220)
    photo[60:, 50:110] = (30, 90, 40)  # down to the lower border
    backdrop = learn(photo)

    assert backdrop.distance_hw[60:, 50:110].min() > 25
    assert backdrop.distance_hw[:50].max() < 2


def test_a_soft_shadow_is_told_from_a_product() -> None:
    photo = ramp(220, 220, 220, 220)
    photo[100:120, 30:130] = 190  # darker, of the same hue
    photo[40:100, 50:110] = (170, 60, 50)
    backdrop = learn(photo)

    assert backdrop.shadow_hw[100:120, 30:130].all()
    assert not backdrop.shadow_hw[40:100, 50:110].any()
    found = grab(photo, backdrop)
    assert found[40:100, 50:110].mean() > 0.98
    assert not found[105:120].any()


def test_what_is_lighter_than_the_backdrop_is_no_shadow() -> None:
    photo = ramp(150, 150, 150, 150)
    photo[40:100, 50:110] = 200

    assert grab(photo, learn(photo))[42:98, 52:108].all()


def test_a_bare_backdrop_holds_no_product() -> None:
    photo = ramp(180, 220, 190, 200)

    assert not grab(photo, learn(photo)).any()


def test_the_same_photo_is_cut_the_same_way_every_time() -> None:
    photo = ramp(180, 220, 190, 200)
    photo[40:100, 50:110] = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    backdrop = learn(photo)

    first = grab(photo, backdrop)
    assert 0 < first.sum() < first.size
    for _ in range(3):
        assert np.array_equal(grab(photo, backdrop), first)


def test_a_saliency_decides_where_colours_cannot() -> None:
    photo = ramp(255, 255, 255, 255)
    photo[40:100, 50:110] = 225
    photo[60:80, 70:90] = 255  # a white label on white
    saliency = np.zeros((SIDE, SIDE), np.float32)
    saliency[40:100, 50:110] = 0.99

    assert grab(photo, learn(photo), saliency)[41:99, 51:109].all()


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=6, max_size=6))
def test_what_is_open_to_the_border_and_what_is_enclosed_make_up_the_mask(rows: list[list[bool]]) -> None:
    mask = np.array(rows)
    reaching = open_to_border(mask)

    assert not (reaching & ~mask).any()
    rim = np.ones((6, 6), bool)
    rim[1:-1, 1:-1] = False
    assert np.array_equal(reaching & rim, mask & rim)
    enclosed = mask & ~reaching
    beside = np.zeros_like(mask)
    beside[1:] |= enclosed[:-1]
    beside[:-1] |= enclosed[1:]
    beside[:, 1:] |= enclosed[:, :-1]
    beside[:, :-1] |= enclosed[:, 1:]
    assert not (beside & reaching).any()


@pytest.mark.parametrize(
    ("rgb", "lightness"), [((0, 0, 0), 0), ((255, 255, 255), 100), ((119, 119, 119), 50)]
)
def test_colours_are_measured_in_cie_lab(rgb: tuple[int, int, int], lightness: int) -> None:
    measured = lab(np.full((1, 1, 3), rgb, np.uint8))[0, 0]

    assert measured[0] == pytest.approx(lightness, abs=0.5)
    assert measured[1:] == pytest.approx((0, 0), abs=0.1)
