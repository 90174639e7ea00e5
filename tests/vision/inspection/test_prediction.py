"""Logits become probabilities, and a batch becomes its pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundles import RED, onnx_model, part, prepared_batch, spotted
from vision.inspection.prediction import defect_probability, probabilities, split_batch, worst_defect
from vision.session import Session

LOGITS = st.lists(st.floats(-500, 500, width=32), min_size=2, max_size=6)


@given(LOGITS, st.floats(0.01, 100))
def test_probabilities_sum_to_one_and_keep_the_order(logits: list[float], temperature: float) -> None:
    shares = probabilities(np.array(logits, np.float32), temperature)
    assert shares.sum() == pytest.approx(1)
    assert np.all(np.diff(shares[np.argsort(logits)]) >= 0)


def test_temperature_divides_the_logits() -> None:
    logits = np.log(np.array([[1.0, 4.0, 16.0], [9.0, 1.0, 1.0]]))
    assert probabilities(logits, 1)[0] == pytest.approx([1 / 21, 4 / 21, 16 / 21])
    assert probabilities(logits, 2)[0] == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert probabilities(logits, 2)[1] == pytest.approx([3 / 5, 1 / 5, 1 / 5])


@given(LOGITS, st.floats(0.1, 10))
def test_what_is_not_good_is_defective(logits: list[float], temperature: float) -> None:
    values = np.array(logits, np.float32)
    others = probabilities(values, temperature)[1:].sum()
    assert float(defect_probability(values, temperature, good=0)) == pytest.approx(others, abs=1e-12)


@pytest.mark.parametrize(
    ("logits", "good", "expected"),
    [
        ([3, 1, 2], "good", 2),
        ([0, 1, 2], "good", 2),
        ([3, 1, 2], "blue", 0),
        ([3, 1, 1], "good", 1),  # the first of equals
        ([-1, -2, -3], "good", 1),
    ],
)
def test_the_worst_defect_is_the_likeliest_class_but_good(
    logits: list[float], good: str, expected: int
) -> None:
    assert worst_defect(np.array(logits, np.float32), ("good", "red", "blue"), good) == expected


def test_a_batch_is_taken_apart_in_its_order() -> None:
    outputs = Session(onnx_model()).run(prepared_batch(part(), spotted(colour=RED)))
    good, red = split_batch(outputs)
    assert good.logits.argmax() == 0
    assert red.logits.argmax() == 1
    assert red.embedding.shape == (5,)
    assert red.cam.shape == (3, 4, 4)
