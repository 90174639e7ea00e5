"""A hard mask becomes a soft alpha that follows the photo's edge, also at many times its size."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.goods import Kind, goods
from vision.image import Pixels
from vision.imagery.cutout.backdrop import Mask
from vision.imagery.cutout.edge import Matting, enlarge, guided, levels, soften
from vision.imagery.cutout.find import shrunk

both = pytest.mark.parametrize("matting", ["guided", pytest.param("matting", marks=pytest.mark.slow)])


def disc(side: int, radius: float, *, soft: float = 1.0) -> tuple[Pixels, Pixels]:
    """A dark disc on a light backdrop, and its alpha."""
    y, x = np.mgrid[:side, :side] + 0.5
    alpha = np.clip((radius - np.hypot(x - side / 2, y - side / 2)) / soft + 0.5, 0, 1)[:, :, None]
    photo = np.rint(alpha * (50, 40, 90) + (1 - alpha) * (230, 232, 228))
    return photo.astype(np.uint8), np.rint(alpha[:, :, 0] * 255).astype(np.uint8)


def grown(mask: Mask, by: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) == 1)


@both
def test_a_mask_a_pixel_too_large_is_drawn_to_the_edge(matting: Matting) -> None:
    if matting == "matting":
        pytest.importorskip("pymatting")
    photo, alpha = disc(256, 70)
    loose = grown(alpha >= 128, 1)

    off = np.abs(levels(soften(photo, loose, matting)).astype(int) - alpha)
    before = np.abs(255 * loose.astype(int) - alpha)
    assert off.mean() < 0.7 * before.mean()


@both
def test_only_a_band_at_the_edge_is_soft(matting: Matting) -> None:
    if matting == "matting":
        pytest.importorskip("pymatting")
    photo, alpha = disc(256, 70)
    found = soften(photo, alpha >= 128, matting)

    y, x = np.mgrid[:256, :256] + 0.5
    away = np.hypot(x - 128, y - 128) - 70
    assert (found[away < -6] == 1).all()
    assert (found[away > 6] == 0).all()


@pytest.mark.slow
def test_matting_that_has_nothing_to_go_by_leaves_the_edge_to_the_filter() -> None:
    pytest.importorskip("pymatting")
    photo, alpha = disc(64, 1.2)  # inside, nothing is sure

    assert np.isfinite(soften(photo, alpha >= 128, "matting")).all()


@pytest.mark.parametrize("times", [2, 3, 5])
def test_an_enlarged_edge_is_as_sharp_as_the_photos(times: int) -> None:
    photo, alpha = disc(200 * times, 60 * times)
    small = np.asarray(cv2.resize(photo, (200, 200), interpolation=cv2.INTER_AREA), np.uint8)
    coarse = np.asarray(cv2.resize(alpha, (200, 200), interpolation=cv2.INTER_AREA) / 255, np.float32)
    found = enlarge(photo, small, coarse)

    blurred = levels(np.asarray(cv2.resize(coarse, alpha.shape, interpolation=cv2.INTER_LINEAR), np.float32))
    off, plain = (np.abs(one.astype(int) - alpha).mean() for one in (found, blurred))
    assert found.shape == alpha.shape
    assert off < 0.5 * plain


@pytest.mark.parametrize("kind", ["mug", "bag"])
def test_inside_a_product_every_pixel_is_opaque_and_outside_transparent(kind: Kind) -> None:
    good = goods(kind, 1, 900)
    small, coarse = shrunk(good.photo_hwc), np.asarray(shrunk(good.alpha_hw) / 255, np.float32)
    found = enlarge(good.photo_hwc, small, coarse)

    near = grown((good.alpha_hw > 0) & (good.alpha_hw < 255), 7)
    assert (found[(good.alpha_hw == 255) & ~near] == 255).all()
    assert (found[(good.alpha_hw == 0) & ~near] == 0).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(16, 40), st.integers(16, 40), st.integers(0, 2**32 - 1))
def test_a_plane_that_is_a_mix_of_the_colours_passes_the_filter_unchanged(
    width: int, height: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (height, width, 3), np.uint8)
    mix = rng.dirichlet((1, 1, 1))
    plane = np.asarray(photo / 255 @ mix, np.float32)

    assert np.abs(guided(photo, plane) - plane).max() < 0.02


def test_levels_end_in_whole_numbers_that_are_all_or_nothing() -> None:
    steps = levels(np.array([-1, 0, 0.02, 0.03, 0.5, 0.97, 0.99, 2]))

    assert steps.tolist() == [0, 0, 0, 0, 128, 255, 255, 255]
