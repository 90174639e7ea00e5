from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.merging import Merge, merge
from vision.inspection.policy import Decision, Reason, Verdict


def verdict(decision: Decision, probability: float | None = 0.5, *, certified: bool = True) -> Verdict:
    return Verdict(
        decision=decision,
        reason=Reason.CONFIDENT,
        detail=f"{decision}",
        probability=probability,
        certified=certified,
    )


ACCEPT, REJECT, REVIEW = Decision.ACCEPT, Decision.REJECT, Decision.REVIEW
verdicts = st.lists(
    st.builds(verdict, st.sampled_from(Decision), st.none() | st.floats(0, 1), certified=st.booleans()),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize(
    ("how", "said", "merged"),
    [
        ("any", [ACCEPT, ACCEPT, REJECT], REJECT),
        ("any", [ACCEPT, REVIEW, REJECT], REJECT),
        ("any", [ACCEPT, REVIEW, ACCEPT], REVIEW),
        ("any", [ACCEPT, ACCEPT], ACCEPT),
        ("majority", [ACCEPT, ACCEPT, REJECT], ACCEPT),
        ("majority", [REJECT, REJECT, ACCEPT], REJECT),
        ("majority", [ACCEPT, REJECT], REVIEW),  # nobody has more than half
        ("majority", [ACCEPT, REJECT, REVIEW], REVIEW),
    ],
)
def test_the_parts_decision(how: Merge, said: list[Decision], merged: Decision) -> None:
    assert merge([verdict(one) for one in said], how)[1].decision == merged


def test_the_picture_with_the_most_probable_defect_among_those_that_decided_is_the_reason() -> None:
    seen = [verdict(REJECT, 0.91), verdict(ACCEPT, 0.99), verdict(REJECT, 0.95)]
    decisive, merged = merge(seen, "any")
    assert decisive == 2
    assert merged.detail == "reject"
    assert merged.probability == 0.99, "the highest of all pictures"


@given(verdicts)
def test_of_one_picture_the_verdict_is_the_parts(seen: list[Verdict]) -> None:
    for how in ("any", "majority"):
        assert merge(seen[:1], how) == (0, seen[0])


@given(verdicts)
def test_by_any_a_part_is_accepted_only_if_every_picture_is(seen: list[Verdict]) -> None:
    _, merged = merge(seen, "any")
    assert (merged.decision == ACCEPT) == all(one.decision == ACCEPT for one in seen)
    assert (merged.decision == REJECT) == any(one.decision == REJECT for one in seen)


@given(verdicts, st.randoms())
def test_the_order_of_the_cameras_changes_no_decision(seen: list[Verdict], chance: Random) -> None:
    other = list(seen)
    chance.shuffle(other)
    for how in ("any", "majority"):
        assert merge(seen, how)[1].decision == merge(other, how)[1].decision


def test_a_majority_is_certified_by_nothing() -> None:
    seen = [verdict(ACCEPT), verdict(ACCEPT), verdict(REJECT)]
    assert merge(seen, "any")[1].certified
    assert not merge(seen, "majority")[1].certified
    assert not merge([*seen, replace(seen[0], certified=False)], "any")[1].certified
