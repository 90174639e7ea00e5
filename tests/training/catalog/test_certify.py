"""A promise holds: over many resamplings the answers that are given are wrong more often than promised at most as seldom as agreed."""

import numpy as np
import pytest

from training.catalog.certify import promise, sequence
from training.catalog.compare import paired, verdict
from training.statistics import upper_bound

pytestmark = pytest.mark.torch


def population(seed: int = 0, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and whether the answers are right, a little overconfident."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(4, 1.2, count)
    return sure, rng.random(count) < sure**1.3


def test_a_promise_is_broken_as_seldom_as_its_confidence_says() -> None:
    sure, right = population()
    grid, rng = sequence(*population(1), 0.1), np.random.default_rng(2)
    broken = 0
    for _ in range(400):
        rows = rng.integers(0, len(sure), 600)
        made = promise("kind", sure[rows], right[rows], grid, max_risk=0.1, confidence=0.9)
        if made.threshold is not None:
            broken += float((~right[sure >= made.threshold]).mean()) > 0.1
    assert broken / 400 <= upper_bound(40, 400, 0.95)  # 10 % may be, and chance on top


def test_the_bound_of_a_promise_is_within_what_was_asked() -> None:
    sure, right = population()
    made = promise("kind", sure, right, sequence(sure, right, 0.1), max_risk=0.1, confidence=0.95)
    assert made.threshold is not None
    assert made.upper <= 0.1
    assert made.answered == int((sure >= made.threshold).sum())
    assert made.wrong == int((~right & (sure >= made.threshold)).sum())
    assert 0.1 < made.coverage < 1


def test_one_mistake_among_the_surest_does_not_end_the_sequence() -> None:
    sure, right = population()
    right[np.argsort(-sure)[:3]] = False
    grid = sequence(*population(1), 0.1)
    made = promise("kind", sure, right, grid, max_risk=0.1, confidence=0.95)
    assert made.threshold is not None
    assert (np.diff(grid) < 0).all()


def test_too_few_items_or_too_many_mistakes_promise_nothing() -> None:
    sure, right = population(count=20)
    few = promise("kind", sure, right, sequence(sure, right, 0.05), max_risk=0.05, confidence=0.95)
    assert few.threshold is None
    wrong = promise(
        "kind", np.full(500, 0.9), np.zeros(500, bool), np.array([0.9]), max_risk=0.05, confidence=0.95
    )
    assert wrong.threshold is None
    assert wrong.upper == 1.0


def test_models_are_compared_by_the_items_that_one_alone_has_right() -> None:
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:50], second[:50] = True, True
    second[50:62] = True
    found = paired(first, second)
    assert (found.only_first, found.only_second) == (0, 12)
    assert found.p_value == pytest.approx(2 * 0.5**12)
    assert verdict(found, None) == (True, "publish: better on the test items, worse on none")
    back = paired(second, first)
    assert verdict(back, None) == (False, "do not publish: worse on the test items")
    assert verdict(found, back) == (False, "do not publish: worse on the corrected items")


def test_being_better_where_another_model_was_wrong_is_no_reason_to_publish() -> None:
    wrong, right, even = np.zeros(40, bool), np.ones(40, bool), np.arange(100) % 2 == 0
    same, corrected = paired(even, even), paired(wrong, right)
    assert verdict(same, corrected) == (
        False,
        "do not publish: no difference beyond chance on the test items",
    )
