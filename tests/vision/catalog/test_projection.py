"""A projection keeps who is near whom in a tenth of the numbers, and is the same each time."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from vision.catalog.projection import Projection, fit
from vision.catalog.search.compact import compact, unit
from vision.errors import BundleError, SettingsError

Floats = npt.NDArray[np.float32]


def embeddings(count: int, seed: int, dimensions: int = 64, inner: int = 12) -> Floats:
    """Positive vectors as a network gives them, on few inner dimensions and a little beside them."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(99).random((inner, dimensions))
    drawn = (
        0.2 * rng.standard_normal((count, inner)) @ axes + 3 + 0.01 * rng.standard_normal((count, dimensions))
    )
    return np.asarray(np.maximum(drawn, 0), np.float32)


KNOWN: Final = embeddings(500, 0)


def neighbours(vectors: Floats, queries: Floats) -> npt.NDArray[np.intp]:
    similar = queries @ vectors.T
    return np.argsort(-similar, axis=1)[:, :10]


def test_projected_vectors_have_length_one_and_as_many_numbers_as_asked_for() -> None:
    projected = fit(KNOWN, 16).project(embeddings(20, 1))
    assert projected.shape == (20, 16)
    assert projected.dtype == np.float32
    assert np.linalg.norm(projected, axis=1) == pytest.approx(np.ones(20), abs=1e-6)


def test_products_of_projected_vectors_are_the_cosines_of_the_embeddings() -> None:
    others = embeddings(50, 1)
    projected = fit(KNOWN, 16).project(others)
    lengths = np.linalg.norm(others, axis=1)
    difference = np.abs(projected @ projected.T - others @ others.T / np.outer(lengths, lengths)).max()
    assert difference < 0.005, f"cosines differ by {difference}"


def test_neighbours_are_kept_even_in_one_byte_a_dimension() -> None:
    known, asked = embeddings(1000, 2), embeddings(50, 3)
    projection = fit(KNOWN, 16)
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (known, asked)]
    true = neighbours(known / lengths[0], asked / lengths[1])
    found = neighbours(*(unit(compact(projection.project(one))) for one in (known, asked)))
    kept = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(true, found, strict=True)])
    assert kept > 0.8


def test_no_dimension_is_much_larger_than_the_others() -> None:
    """Or one byte could not hold the others beside it."""
    spread = np.abs(fit(KNOWN, 16).project(embeddings(500, 4))).mean(axis=0)
    assert spread.max() / spread.mean() < 4


def test_the_same_embeddings_give_the_same_projection() -> None:
    assert np.array_equal(fit(KNOWN, 8).axes, fit(KNOWN.copy(), 8).axes)


def test_how_long_an_embedding_is_makes_no_difference() -> None:
    projection = fit(KNOWN, 8)
    assert projection.project(7 * KNOWN[:5]) == pytest.approx(projection.project(KNOWN[:5]), abs=1e-6)


def test_a_bundle_gives_back_the_projection_that_was_packed() -> None:
    projection = fit(KNOWN, 8)
    again = Projection.from_arrays({"others": np.zeros(3), **projection.to_arrays()})
    assert np.array_equal(again.axes, projection.axes)
    assert again.dimension == 8


@pytest.mark.parametrize(
    ("axes", "found"),
    [
        (np.zeros((4, 8), np.float32), "found float32"),  # more columns than rows
        (np.zeros((8, 4)), "found float64"),
        (np.zeros(8, np.float32), "found float32"),
        (np.full((8, 4), np.nan, np.float32), "finite"),
    ],
)
def test_an_array_that_is_no_projection_is_refused(axes: npt.NDArray[np.floating], found: str) -> None:
    with pytest.raises(BundleError, match=f"search_axes: .*{found}"):
        Projection.from_arrays({"search_axes": axes})


def test_a_bundle_without_a_projection_is_refused() -> None:
    with pytest.raises(BundleError, match="expected an array 'search_axes', found embeddings"):
        Projection.from_arrays({"embeddings": np.zeros(3)})


@pytest.mark.parametrize("dimension", [0, 65, 501])
def test_a_projection_needs_as_many_embeddings_and_dimensions(dimension: int) -> None:
    with pytest.raises(SettingsError, match="projection: expected embeddings"):
        fit(KNOWN, dimension)


def test_embeddings_of_another_network_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"expected shape \(N, 64\), found \(5, 32\)"):
        fit(KNOWN, 8).project(np.ones((5, 32)))
