"""One byte a dimension costs little, and equal vectors are equally alike wherever they lie."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tests.vision.catalog.search.items import vectors
from vision.catalog.search.compact import MAX_DIMENSION, Query, compact, lengths, likeness, unit
from vision.errors import InputError

some_vectors = st_numpy.arrays(
    np.float32, st.tuples(st.integers(1, 9), st.just(5)), elements=st.floats(-1e6, 1e6, width=32)
).filter(lambda array: bool(np.abs(array).max(axis=1).min() > 1e-6))


@given(some_vectors)
def test_no_value_is_off_by_more_than_half_a_step_of_the_largest(array: npt.NDArray[np.float32]) -> None:
    largest = np.abs(array).max(axis=1, keepdims=True)
    again = compact(array) * largest.astype(np.float64) / 127
    assert (np.abs(again - array) <= largest / 254 * 1.001).all()


@given(some_vectors, st.floats(1e-3, 1e3))
def test_the_length_of_a_vector_makes_no_difference(array: npt.NDArray[np.float32], scale: float) -> None:
    difference = np.abs(compact(array.astype(np.float64) * scale).astype(int) - compact(array))
    assert difference.max() <= 1  # a value in the middle between two steps


def test_cosines_are_kept_to_a_hundredth() -> None:
    one, others = vectors(1, 0), vectors(1000, 1)
    true = others @ one[0] / np.linalg.norm(others, axis=1) / np.linalg.norm(one)
    rows = compact(others)
    difference = np.abs(likeness(Query.of(one[0]), rows, lengths(rows)) - true).max()
    assert difference < 0.01, f"cosines differ by {difference}"


def test_what_is_asked_about_is_kept_more_finely() -> None:
    one, others = vectors(1, 0), compact(vectors(1000, 1))
    true = unit(others) @ one[0] / np.linalg.norm(one)
    fine = np.abs(likeness(Query.of(one[0]), others, lengths(others)) - true).max()
    coarse = np.abs(unit(others) @ unit(compact(one))[0] - true).max()
    assert fine < coarse / 20


def test_equal_rows_are_equally_alike_to_the_last_bit_in_any_place_and_any_company() -> None:
    rows = compact(np.random.default_rng(0).standard_normal((5000, MAX_DIMENSION)))
    rows[[0, 1234, 4999]] = rows[77]
    query = Query.of(np.random.default_rng(1).standard_normal(MAX_DIMENSION))
    all_of_them = likeness(query, rows, lengths(rows))[[0, 77, 1234, 4999]]
    alone = likeness(query, rows[77:78], lengths(rows[77:78]))
    assert set(all_of_them.tolist()) == set(alone.tolist())


def test_compact_vectors_come_back_with_length_one() -> None:
    assert np.linalg.norm(unit(compact(vectors(9, 0))), axis=1) == pytest.approx(np.ones(9), abs=1e-6)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((1, 4)), "found one without"),
        (np.array([[1.0, np.nan]]), "found one without"),
        (np.array([[1.0, np.inf]]), "found one without"),
        (np.ones(4), "expected shape"),
        (np.ones((2, 0)), "expected shape"),
        (np.ones((1, MAX_DIMENSION + 1)), "expected shape"),
    ],
)
def test_what_is_no_vector_is_refused(bad: npt.NDArray[np.float64], message: str) -> None:
    with pytest.raises(InputError, match=f"photo: .*{message}"):
        compact(bad, "photo")
