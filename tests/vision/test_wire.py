"""The wire and the core speak one vocabulary, and nothing is lost between them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundles import FLOAT32, frame, make_bundle, part, spotted
from vision.errors import WireError
from vision.image import Pixels
from vision.inspection.explain import Explanation, explain
from vision.inspection.inspect import Inspector
from vision.inspection.policy import Decision, Reason, Verdict, fallback
from vision.qualify import Choice
from vision.v1 import common_pb2
from vision.wire import (
    box_from_wire,
    box_to_wire,
    decision_from_wire,
    decision_to_wire,
    explanation_from_wire,
    explanation_to_wire,
    reason_from_wire,
    reason_to_wire,
    verdict_from_wire,
    verdict_to_wire,
)

PROBABILITIES = st.floats(0, 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VERDICTS = st.builds(
    Verdict,
    decision=st.sampled_from(Decision),
    reason=st.sampled_from(Reason),
    detail=st.text(st.characters(exclude_categories=["Cs"])),
    probability=st.none() | PROBABILITIES,
    label=st.none() | TEXT,
    probabilities=st.none() | st.dictionaries(TEXT, PROBABILITIES, min_size=1),
    novelty=st.none() | st.floats(0, allow_nan=False),
    certified=st.booleans(),
)


def test_each_decision_has_its_name_on_the_wire() -> None:
    assert {f"DECISION_{one.name}" for one in Decision} | {"DECISION_UNSPECIFIED"} == set(
        common_pb2.Decision.keys()
    )
    for one in Decision:
        assert common_pb2.Decision.Name(decision_to_wire(one)) == f"DECISION_{one.name}"
        assert decision_from_wire(decision_to_wire(one)) is one


def test_each_reason_has_its_name_on_the_wire() -> None:
    assert {f"REASON_{one.name}" for one in Reason} | {"REASON_UNSPECIFIED"} == set(common_pb2.Reason.keys())
    for one in Reason:
        assert common_pb2.Reason.Name(reason_to_wire(one)) == f"REASON_{one.name}"
        assert reason_from_wire(reason_to_wire(one)) is one


@pytest.mark.parametrize("number", [0, 6, 99, -1])
def test_a_number_without_a_meaning_here_is_refused(number: int) -> None:
    with pytest.raises(WireError, match=rf"decision: expected one of \[1, 2, 3\], found {number}"):
        decision_from_wire(number)
    with pytest.raises(WireError, match=rf"reason: expected one of \[1, 2, 3, 4, 5\], found {number}"):
        reason_from_wire(number)


@given(VERDICTS)
def test_a_verdict_comes_back_as_it_went(verdict: Verdict) -> None:
    sent = common_pb2.Verdict.FromString(verdict_to_wire(verdict).SerializeToString())
    assert verdict_from_wire(sent) == verdict


def test_a_part_that_nobody_judged_has_no_numbers_on_the_wire() -> None:
    message = verdict_to_wire(fallback("no model is loaded"))
    assert not message.HasField("probability")
    assert not message.HasField("novelty")
    assert verdict_from_wire(message) == fallback("no model is loaded")


def test_zero_is_a_probability_and_not_its_absence() -> None:
    verdict = Verdict(
        decision=Decision.ACCEPT, reason=Reason.CONFIDENT, detail="", probability=0.0, novelty=0.0
    )
    message = common_pb2.Verdict.FromString(verdict_to_wire(verdict).SerializeToString())
    assert message.HasField("probability")
    assert verdict_from_wire(message).novelty == 0.0


@pytest.mark.parametrize("probability", [-0.01, 1.01, float("inf")])
def test_a_probability_outside_its_range_is_refused(probability: float) -> None:
    message = verdict_to_wire(fallback("why"))
    message.probability = probability
    with pytest.raises(WireError, match=r"probability: expected 0\.\.1, found"):
        verdict_from_wire(message)


@given(st.tuples(*[st.integers(0, 2**32 - 1)] * 4))
def test_a_box_comes_back_as_it_went(box_xyxy: tuple[int, int, int, int]) -> None:
    assert box_from_wire(box_to_wire(box_xyxy)) == box_xyxy


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    return Inspector(make_bundle(tmp_path / "plates"), choice=Choice(file=FLOAT32, threads=1))


def explained(inspector: Inspector, image_hwc: Pixels) -> Explanation:
    return explain(inspector, inspector.inspect(inspector.prepare(frame(image_hwc))))


@pytest.mark.parametrize("defective", [True, False])
def test_an_explanation_says_the_same_on_the_other_side(inspector: Inspector, defective: bool) -> None:
    original = explained(inspector, spotted() if defective else part())
    sent = common_pb2.Explanation.FromString(explanation_to_wire(original).SerializeToString())
    received = explanation_from_wire(sent)
    assert received.sentence() == original.sentence()
    assert received.box_xyxy == original.source_box_xyxy
    assert received.counterfactual == original.counterfactual
    assert (received.box_xyxy is not None) is defective
    assert (received.log_odds, received.contribution) == (original.log_odds, original.contribution)


def test_a_counterfactual_that_is_not_understood_is_refused() -> None:
    message = common_pb2.Explanation(defect="red", counterfactual=common_pb2.Verdict())
    with pytest.raises(WireError, match="decision: expected one of"):
        explanation_from_wire(message)
