"""From a probability to exactly one decision, with its reason."""

import math
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.inspection.policy import Costs, Decision, Policy, Rates, Reason, decide, fallback

POLICY: Final = Policy(accept_at=0.2, reject_at=0.8)
SEVERITY: Final = {Decision.ACCEPT: 0, Decision.REVIEW: 1, Decision.REJECT: 2}
PROBABILITIES: Final = st.floats(0, 1)


def policies() -> st.SearchStrategy[Policy]:
    """Any two thresholds, one, or none."""
    pairs = st.tuples(PROBABILITIES, PROBABILITIES).filter(lambda pair: pair[0] < pair[1])
    both = pairs.map(lambda pair: Policy(accept_at=pair[0], reject_at=pair[1]))
    one = st.sampled_from(["accept_at", "reject_at"])
    single = st.tuples(one, PROBABILITIES).map(lambda pair: Policy.model_validate(dict([pair])))
    return st.one_of(both, single, st.just(Policy()))


@pytest.mark.parametrize(
    ("accept_at", "reject_at", "probability", "expected"),
    [
        (0.2, 0.8, 0.0, Decision.ACCEPT),
        (0.2, 0.8, 0.2, Decision.ACCEPT),  # up to and with the threshold
        (0.2, 0.8, math.nextafter(0.2, 1), Decision.REVIEW),
        (0.2, 0.8, math.nextafter(0.8, 0), Decision.REVIEW),
        (0.2, 0.8, 0.8, Decision.REJECT),  # from the threshold on
        (0.2, 0.8, 1.0, Decision.REJECT),
        (0.0, 1.0, 0.0, Decision.ACCEPT),
        (0.0, 1.0, math.nextafter(0, 1), Decision.REVIEW),
        (0.0, 1.0, 1.0, Decision.REJECT),
        (None, 0.8, 0.0, Decision.REVIEW),  # accepts nothing
        (None, 0.8, 0.8, Decision.REJECT),
        (0.2, None, 1.0, Decision.REVIEW),  # rejects nothing
        (0.2, None, 0.2, Decision.ACCEPT),
        (None, None, 0.0, Decision.REVIEW),
        (None, None, 1.0, Decision.REVIEW),
        (0.2, 0.8, math.nan, Decision.REVIEW),  # what is no number is judged by a person
    ],
)
def test_thresholds_belong_to_their_decisions(
    accept_at: float | None, reject_at: float | None, probability: float, expected: Decision
) -> None:
    assert Policy(accept_at=accept_at, reject_at=reject_at).judge(probability) is expected


@pytest.mark.parametrize(
    ("accept_at", "reject_at"), [(0.5, 0.5), (0.8, 0.2), (-0.1, None), (None, 1.1), (math.nan, None)]
)
def test_thresholds_that_contradict_each_other_are_refused(
    accept_at: float | None, reject_at: float | None
) -> None:
    with pytest.raises(ValidationError):
        Policy(accept_at=accept_at, reject_at=reject_at)


@given(policies(), PROBABILITIES, PROBABILITIES)
def test_a_more_likely_defect_is_never_judged_more_leniently(
    policy: Policy, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    assert SEVERITY[policy.judge(low)] <= SEVERITY[policy.judge(high)]


@given(
    policies(),
    PROBABILITIES,
    st.none() | st.just("blurred"),
    st.none() | st.floats(0, 3),
    st.booleans(),
)
def test_there_is_always_one_decision_with_its_reason(
    policy: Policy, probability: float, fault: str | None, novelty: float | None, void: bool
) -> None:
    decision, reason, detail = decide(policy, probability, quality_fault=fault, novelty=novelty, void=void)
    assert detail
    assert (reason is Reason.CONFIDENT) == (decision is not Decision.REVIEW)
    if decision is Decision.ACCEPT:
        assert policy.accept_at is not None
        assert probability <= policy.accept_at
        assert fault is None
        assert novelty is None or novelty <= 1
        assert not void


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("fault", "novelty", "expected"),
    [
        ("blurred", 2.0, Reason.IMAGE_QUALITY),
        ("blurred", None, Reason.IMAGE_QUALITY),
        (None, 2.0, Reason.NOVEL),
        (None, math.nextafter(1, 2), Reason.NOVEL),
        (None, math.nan, Reason.NOVEL),  # a distance that is no number is no known part
    ],
)
def test_quality_comes_before_novelty_and_novelty_before_thresholds(
    probability: float, fault: str | None, novelty: float | None, expected: Reason
) -> None:
    decision, reason, _ = decide(POLICY, probability, quality_fault=fault, novelty=novelty)
    assert (decision, reason) == (Decision.REVIEW, expected)


def test_a_part_at_the_novelty_radius_is_a_known_one() -> None:
    assert decide(POLICY, 0.0, novelty=1.0)[:2] == (Decision.ACCEPT, Reason.CONFIDENT)


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.5, "0.500"),
        (0.00012345, "0.00012"),  # near the ends, where thresholds lie, three digits would all be 0
        (0.99988, "0.99988"),
        (0.0, "0.000"),
        (1.0, "1.000"),
        (math.nan, "nan"),
    ],
)
def test_a_probability_is_said_with_the_digits_that_matter(probability: float, said: str) -> None:
    assert decide(Policy(), probability)[2].startswith(f"probability of defect {said}, ")


def test_the_reason_is_said_in_words() -> None:
    assert decide(POLICY, 0.1)[2] == "probability of defect 0.100, accepted up to 0.200"
    assert decide(POLICY, 0.9)[2] == "probability of defect 0.900, rejected from 0.800"
    assert decide(POLICY, 0.5)[2] == "probability of defect 0.500, between 0.200 and 0.800"
    assert decide(Policy(), 0.5)[2] == "probability of defect 0.500, between no threshold and no threshold"
    assert decide(POLICY, 0.1, quality_fault="blurred")[2] == "blurred"
    assert decide(POLICY, 0.1, novelty=2.5)[2] == "2.50 times as far from known parts as known parts are"


@given(policies(), PROBABILITIES)
def test_a_void_certificate_accepts_nothing_and_changes_nothing_else(
    policy: Policy, probability: float
) -> None:
    before, after = decide(policy, probability), decide(policy, probability, void=True)
    if before[0] is Decision.ACCEPT:
        assert after[:2] == (Decision.REVIEW, Reason.UNCERTAIN)
        assert "void" in after[2]
    else:
        assert after == before


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        # 0.05 x (100 x 0.02 + 1 x 0.1) + 0.95 x (5 x 0.03 + 1 x 0.2)
        (Rates(escape=0.02, review_of_defective=0.1, false_reject=0.03, review_of_good=0.2), 0.4375),
        (Rates(escape=0, review_of_defective=1, false_reject=0, review_of_good=1), 1.0),  # all to review
        (Rates(escape=1, review_of_defective=0, false_reject=0, review_of_good=0), 5.0),  # all accepted
        (Rates(escape=0, review_of_defective=0, false_reject=1, review_of_good=0), 4.75),  # all rejected
        (Rates(escape=0, review_of_defective=0, false_reject=0, review_of_good=0), 0.0),  # all right
    ],
)
def test_expected_cost_is_what_mistakes_cost_times_how_often_they_happen(
    rates: Rates, expected: float
) -> None:
    costs = Costs(escape=100, false_reject=5, review=1, defect_rate=0.05)
    assert costs.expected(rates) == pytest.approx(expected)


def test_the_fallback_is_a_fault_and_never_accepts() -> None:
    review, reject = fallback("camera lost"), fallback("camera lost", reject=True)
    assert (review.decision, reject.decision) == (Decision.REVIEW, Decision.REJECT)
    assert {review.reason, reject.reason} == {Reason.FAULT}
    assert review.probability is None
    assert not review.certified
    assert review.detail == "camera lost"
