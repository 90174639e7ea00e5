import numpy as np
import pytest

from vision.imagery.diffusion.enlarge import CRISP, SMOOTH, calmed, enlarged

KERNELS = [SMOOTH, CRISP]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size_wh", [(100, 60), (64, 64), (31, 17)])
def test_a_flat_colour_stays_flat_at_any_size(kernel: tuple[float, float], size_wh: tuple[int, int]) -> None:
    flat = np.full((64, 64, 3), (51 / 255, 102 / 255, 204 / 255), np.float32)

    made = enlarged(flat, size_wh, seed=1, kernel=kernel).astype(np.int64)

    assert made.shape == (*size_wh[::-1], 3)
    assert np.abs(made - (51, 102, 204)).max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_ramp_stays_straight_away_from_the_borders(kernel: tuple[float, float]) -> None:
    ramp = np.broadcast_to(np.linspace(0.1, 0.9, 32, dtype=np.float32)[None, :, None], (32, 32, 3))

    made = enlarged(np.ascontiguousarray(ramp), (320, 320), seed=1, kernel=kernel).astype(np.float64)

    middle = made[:, 30:-30].mean((0, 2))
    assert np.abs(middle - np.linspace(middle[0], middle[-1], len(middle))).max() < 1


def test_the_grain_is_the_seeds() -> None:
    grey = np.full((8, 8, 3), 0.5, np.float32)

    one, again, other = (enlarged(grey, (64, 64), seed=seed, kernel=SMOOTH) for seed in (1, 1, 2))

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_smooth_kernel_takes_the_grid_away_that_the_crisp_one_keeps() -> None:
    rng = np.random.default_rng(0)
    noisy = (0.5 + 0.1 * rng.standard_normal((32, 32, 3))).astype(np.float32)

    smooth, crisp = (enlarged(noisy, (512, 512), seed=0, kernel=kernel).std() for kernel in KERNELS)

    assert smooth < 0.75 * crisp


def test_noise_is_calmed_and_an_edge_stays() -> None:
    edge = np.full((32, 32, 3), 0.3, np.float32)
    edge[16:] = 0.8
    noisy = edge + np.random.default_rng(0).normal(0, 0.02, edge.shape).astype(np.float32)

    calm = calmed(noisy, 0.05)

    assert calm[:15].std() < 0.5 * noisy[:15].std()
    assert (calm[16] - calm[15]).mean() == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(calmed(noisy, 0.0), noisy)
