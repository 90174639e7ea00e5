"""Cosines by rows, at the price of one thread."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.cosine import cosines, unit

ONE_AGAINST_MANY = """
import time
import numpy as np
from vision.cosine import cosines, unit
others = unit(np.random.default_rng(0).standard_normal((512, 2048)))
cosines(others[:1], others)
began = time.process_time()
for _ in range(5):
    cosines(others[:1], others)
    time.sleep(0.1)
print(time.process_time() - began)
"""


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_they_are_the_products_of_unit_rows(rows: int, others: int, dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    some, more = unit(rng.normal(size=(rows, dimension))), unit(rng.normal(size=(others, dimension)))
    assert cosines(some, more) == pytest.approx(some @ more.T, abs=1e-6)


def test_a_row_of_no_length_stays_so_and_is_like_nothing() -> None:
    rows = unit(np.array([[0.0, 0.0], [3.0, 4.0]]))
    assert rows.tolist() == [[0.0, 0.0], pytest.approx([0.6, 0.8])]
    assert cosines(rows, rows)[0].tolist() == [0.0, 0.0]


def test_half_precision_rows_get_their_length_in_single_precision() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(4, 2048)).astype(np.float16))
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def test_no_thread_goes_on_spinning_after_one_row_was_compared() -> None:
    run = subprocess.run([sys.executable, "-c", ONE_AGAINST_MANY], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 0.1, "the product itself takes a few milliseconds of processor time"
