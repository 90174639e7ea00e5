"""A photo that does not show its product is told where the background is plain; of all others nothing is said."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.pictures import rough, smooth
from vision.catalog.framing import Framing, FramingLimits, limits_from, measure
from vision.image import Pixels

SIDE: Final = 160
LIMITS: Final = FramingLimits(max_cut=0.3, min_reach=0.2)


def backdrop(level: float = 200, *, slope: float = 0, vignette: float = 0, noise: float = 2) -> Pixels:
    """A plain background, lit from the left, darker towards the corners."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    light = level - slope * x - vignette * (x * x + y * y)
    picture = light[:, :, None] + np.random.default_rng(0).normal(0, noise, (SIDE, SIDE, 3))
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def showing(
    left: int, top: int, width: int, height: int, *, level: int | None = None, on: Pixels | None = None
) -> Pixels:
    """A box of one grey level, or dark and of many colours, on a background."""
    picture = (backdrop() if on is None else on).copy()
    box = (slice(max(top, 0), top + height), slice(max(left, 0), left + width))
    picture[box] = rough(SIDE, SIDE)[box] // 3 if level is None else level
    return picture


def measured(picture: Pixels) -> Framing:
    found = measure(picture)
    assert found is not None
    return found


def test_a_product_in_the_middle_reaches_across_its_share_and_is_not_cut() -> None:
    found = measured(showing(40, 60, 80, 40))
    assert found.cut == 0
    assert found.reach == pytest.approx(0.5, abs=0.03)
    assert LIMITS.fault(found) is None


@pytest.mark.parametrize(
    "on",
    [backdrop(slope=40), backdrop(vignette=30), backdrop(slope=-25, vignette=25, noise=6), backdrop(240)],
    ids=["lit from the left", "dark corners", "both, and noise", "white"],
)
def test_light_that_falls_off_slowly_is_background(on: Pixels) -> None:
    assert measured(on).reach == 0
    assert measured(showing(40, 60, 80, 40, on=on)).reach == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("level", [185, 215])
def test_white_on_white_is_seen(level: int) -> None:
    assert measured(showing(40, 60, 80, 40, level=level)).reach == pytest.approx(0.5, abs=0.03)


def test_nothing_but_a_background_is_no_product() -> None:
    assert LIMITS.fault(measured(backdrop())) == "no product: nothing but a plain background"


def test_specks_are_no_product() -> None:
    picture = backdrop()
    picture[10:12, 10:12] = picture[150:152, 140:142] = 0
    assert measured(picture).reach == 0


def test_a_tiny_product_is_told_with_its_limit() -> None:
    found = measured(showing(100, 20, 20, 16))
    assert found.reach == pytest.approx(20 / SIDE, abs=0.03)
    said = LIMITS.fault(found)
    assert said is not None
    assert said.startswith("product too small: share of the frame's side 0.1")
    assert said.endswith("limit 0.2")


def test_a_thin_product_is_as_large_as_it_is_long() -> None:
    assert measured(showing(20, 78, 120, 6)).reach == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((-1, -1, 81, 161), 0.5),  # the left half
        ((40, -1, 80, 120), 0.125),  # half of the upper side
        ((-1, 40, 161, 130), 0.625),  # all below a strip
    ],
)
def test_a_product_that_the_border_cuts_covers_its_share_of_it(
    box: tuple[int, int, int, int], cut: float
) -> None:
    found = measured(showing(*box))
    assert found.cut == pytest.approx(cut, abs=0.05)
    assert (LIMITS.fault(found) or "").startswith("product cut off") == (cut > 0.3)


@pytest.mark.parametrize("picture", [rough(SIDE, SIDE), smooth(SIDE, SIDE)], ids=["rough", "colourful"])
def test_of_a_scene_nothing_is_said(picture: Pixels) -> None:
    found = measure(picture)
    assert found is None or found.reach > 0.9 or LIMITS.fault(found) is None
    assert measure(rough(SIDE, SIDE)) is None
    assert LIMITS.fault(None) is None


def test_a_pictures_size_and_shape_do_not_matter() -> None:
    wide = np.repeat(showing(40, 60, 80, 40), 3, axis=1)
    assert measured(wide).reach == pytest.approx(0.5, abs=0.03)
    assert measured(wide).cut == 0


framings = st.builds(Framing, cut=st.floats(0, 1), reach=st.floats(0.05, 1))


@given(st.lists(framings | st.none(), max_size=10))
def test_photos_that_set_the_limits_keep_them(photos: list[Framing | None]) -> None:
    limits = limits_from(photos)
    assert all(limits.fault(one) is None for one in photos if one is None or one.reach >= 0.1)


def test_limits_lie_beyond_the_photos_that_set_them() -> None:
    limits = limits_from([Framing(cut=0.2, reach=0.9), None, Framing(cut=0.0, reach=0.5)])
    assert limits == FramingLimits(max_cut=0.6, min_reach=0.25)
    assert limits_from([None]) == FramingLimits()


@settings(deadline=None, max_examples=25)
@given(st.integers(10, 110), st.integers(10, 110), st.integers(8, 40), st.sampled_from([20, 90, 160, 255]))
def test_a_free_product_is_measured_wherever_it_lies(left: int, top: int, side: int, level: int) -> None:
    found = measured(showing(left, top, side, side, level=level))
    assert found.cut == 0
    assert found.reach == pytest.approx(side / SIDE, abs=0.035)


@settings(deadline=None, max_examples=50)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
def test_any_picture_is_measured_or_passed_over(grey: Pixels) -> None:
    found = measure(np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2)))
    assert found is None or (0 <= found.cut <= 1 and 0 <= found.reach <= 1)
