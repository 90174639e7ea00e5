"""Drawn goods are the same in every run, and their alpha is true to the photograph."""

import numpy as np
import pytest

from tests.goods import BACKDROPS, KINDS, Backdrop, Kind, goods
from vision.image import decode

SIDE = 320


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_photograph_and_another_another(kind: Kind) -> None:
    first, again, other = goods(kind, 4, SIDE), goods(kind, 4, SIDE), goods(kind, 5, SIDE)

    assert first.photo_png == again.photo_png
    assert np.array_equal(first.alpha_hw, again.alpha_hw)
    assert (first.photo_hwc != other.photo_hwc).any()
    assert np.array_equal(decode(first.photo_png).image_hwc, first.photo_hwc)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backdrop", BACKDROPS)
def test_only_the_backdrop_changes_with_the_backdrop(kind: Kind, backdrop: Backdrop) -> None:
    one, white = goods(kind, 1, SIDE, backdrop=backdrop), goods(kind, 1, SIDE, backdrop="white")

    product = one.alpha_hw == 255
    differences = np.abs(one.photo_hwc[product].astype(int) - white.photo_hwc[product])
    assert differences.max() <= 12  # the camera's noise is another
    assert np.array_equal(one.alpha_hw, white.alpha_hw)


@pytest.mark.parametrize("kind", KINDS)
def test_the_product_fills_a_good_part_of_the_frame_and_touches_no_border(kind: Kind) -> None:
    for seed in range(3):
        alpha = goods(kind, seed, SIDE).alpha_hw

        assert 0.05 < (alpha == 255).mean() < 0.6
        assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()
