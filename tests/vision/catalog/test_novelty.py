"""What is unlike all that was learned scores high; a damaged reference is refused."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.catalog.novelty import Novelty
from vision.catalog.projection import Projection, fit
from vision.cosine import unit
from vision.errors import BundleError, SettingsError


def units(rows: int, dimension: int = 8, seed: int = 0) -> npt.NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((rows, dimension)))


def test_the_score_is_the_mean_distance_to_the_three_nearest() -> None:
    reference, asked = units(50), units(7, seed=1)
    nearest = np.sort(1 - asked @ reference.T, axis=1)[:, :3]
    assert Novelty(reference).scores(asked) == pytest.approx(nearest.mean(axis=1), abs=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_reference_vectors_are_all_nearest(rows: int) -> None:
    axes = np.eye(4, dtype=np.float32)[:rows]
    assert Novelty(axes).scores(axes[:1])[0] == pytest.approx((rows - 1) / rows)
    assert Novelty(axes).scores(-axes[:1])[0] == pytest.approx((rows + 1) / rows)


@given(st.integers(0, 1000), st.integers(1, 300))
def test_what_was_learned_scores_nothing_and_never_less(seed: int, dimension: int) -> None:
    vectors = np.repeat(units(1, dimension, seed), 3, axis=0)
    score = Novelty.from_arrays(Novelty(vectors).to_arrays()).scores(vectors)
    assert (score >= 0).all()
    assert score == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "expected an array 'novelty_vectors' of floats .*, found none"),
        ({"novelty_vectors": np.zeros((0, 8), np.float16)}, r"found float16 \(0, 8\)"),
        ({"novelty_vectors": np.zeros(8, np.float16)}, r"found float16 \(8,\)"),
        ({"novelty_vectors": np.array([["a"]])}, r"found <U1 \(1, 1\)"),
        ({"novelty_vectors": np.full((3, 8), np.nan, np.float16)}, "expected finite values"),
    ],
)
def test_a_reference_that_is_no_matrix_of_numbers_is_refused(
    arrays: dict[str, npt.NDArray[Any]], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        Novelty.from_arrays(arrays)


def test_a_projection_keeps_what_its_embeddings_differ_in() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 32))
    projection = fit(embeddings, 4)
    assert projection.axes.T @ projection.axes == pytest.approx(np.eye(4), abs=1e-5)
    compact, whole = projection.project(embeddings), unit(embeddings)
    assert compact @ compact.T == pytest.approx(whole @ whole.T, abs=1e-5)
    assert Projection.from_arrays(projection.to_arrays()).axes == pytest.approx(projection.axes)


def test_embeddings_of_another_dimension_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"expected shape \(N, 8\), found \(2, 9\)"):
        fit(units(20), 4).project(np.ones((2, 9)))
    with pytest.raises(SettingsError, match="from 9 up"):
        fit(units(20), 9)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (None, "expected an array 'search_axes', found other"),
        (np.zeros((4, 8), np.float32), "with d <= D, found float32"),
        (np.zeros((8, 4)), "found float64"),
        (np.full((8, 4), np.inf, np.float32), "expected finite values"),
    ],
)
def test_a_projection_that_is_none_is_refused(axes: npt.NDArray[Any] | None, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        Projection.from_arrays({"other": np.zeros(1)} if axes is None else {"search_axes": axes})
