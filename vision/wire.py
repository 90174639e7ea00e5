"""The core's values as messages of `vision.v1`, and back.

`*_to_wire` takes a value and gives its message; `*_from_wire` takes a message and gives the value, or raises `WireError` where it
is incomplete or newer than this reader. Client and server both call this. It knows protobuf but no gRPC: who sends what, and when, is
`vision.client` and `server.rpc`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vision.errors import WireError
from vision.inspection.policy import Decision, Reason, Verdict
from vision.inspection.wording import evidence_sentence
from vision.v1 import common_pb2

if TYPE_CHECKING:  # it brings ONNX Runtime, which a client has no use for
    from vision.inspection.explain import Explanation

Box = tuple[int, int, int, int]

_DECISIONS: Final = {one: getattr(common_pb2, f"DECISION_{one.name}") for one in Decision}
_REASONS: Final = {one: getattr(common_pb2, f"REASON_{one.name}") for one in Reason}
_DECISION_OF: Final = {number: one for one, number in _DECISIONS.items()}
_REASON_OF: Final = {number: one for one, number in _REASONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An explanation as it travels: `vision.inspection.explain.Explanation` without its maps.

    Attributes:
        defect: the defect class the evidence is for.
        box_xyxy: the hottest region in whole pixels of the original picture; absent where nothing speaks for a defect.
        log_odds: what the whole picture says for that defect against good, calibrated.
        contribution: the region's part of `log_odds`.
        counterfactual: the verdict with the region replaced by its surroundings.
    """

    defect: str
    box_xyxy: Box | None
    log_odds: float
    contribution: float
    counterfactual: Verdict | None

    def sentence(self) -> str:
        """The explanation in words, the same as the core's."""
        return evidence_sentence(
            self.defect,
            self.box_xyxy,
            contribution=self.contribution,
            log_odds=self.log_odds,
            counterfactual=self.counterfactual,
        )


def decision_to_wire(decision: Decision) -> common_pb2.Decision:
    number: common_pb2.Decision = _DECISIONS[decision]
    return number


def decision_from_wire(number: int) -> Decision:
    """The decision of a number.

    Raises:
        WireError: unspecified, or a number of a newer Loupe.
    """
    if number not in _DECISION_OF:
        raise WireError(f"decision: expected one of {sorted(_DECISION_OF)}, found {number}")
    return _DECISION_OF[number]


def reason_to_wire(reason: Reason) -> common_pb2.Reason:
    number: common_pb2.Reason = _REASONS[reason]
    return number


def reason_from_wire(number: int) -> Reason:
    """The reason of a number.

    Raises:
        WireError: unspecified, or a number of a newer Loupe.
    """
    if number not in _REASON_OF:
        raise WireError(f"reason: expected one of {sorted(_REASON_OF)}, found {number}")
    return _REASON_OF[number]


def box_to_wire(box_xyxy: Box) -> common_pb2.Box:
    left, top, right, bottom = box_xyxy
    return common_pb2.Box(left=left, top=top, right=right, bottom=bottom)


def box_from_wire(message: common_pb2.Box) -> Box:
    return message.left, message.top, message.right, message.bottom


def verdict_to_wire(verdict: Verdict) -> common_pb2.Verdict:
    return common_pb2.Verdict(
        decision=decision_to_wire(verdict.decision),
        reason=reason_to_wire(verdict.reason),
        detail=verdict.detail,
        probability=verdict.probability,
        label=verdict.label,
        probabilities=verdict.probabilities,
        novelty=verdict.novelty,
        certified=verdict.certified,
    )


def verdict_from_wire(message: common_pb2.Verdict) -> Verdict:
    """The verdict of a message.

    Raises:
        WireError: its decision or reason is not known here, or its probability lies outside 0..1.
    """
    probability = message.probability if message.HasField("probability") else None
    if probability is not None and (probability < 0 or probability > 1):
        raise WireError(f"probability: expected 0..1, found {probability}")
    return Verdict(
        decision=decision_from_wire(message.decision),
        reason=reason_from_wire(message.reason),
        detail=message.detail,
        probability=probability,
        label=message.label or None,
        probabilities=dict(message.probabilities) or None,
        novelty=message.novelty if message.HasField("novelty") else None,
        certified=message.certified,
    )


def explanation_to_wire(explanation: "Explanation") -> common_pb2.Explanation:
    """The message of a core's explanation; its maps stay behind."""
    box_xyxy, counterfactual = explanation.source_box_xyxy, explanation.counterfactual
    return common_pb2.Explanation(
        defect=explanation.defect,
        region=box_to_wire(box_xyxy) if box_xyxy else None,
        log_odds=explanation.log_odds,
        contribution=explanation.contribution,
        counterfactual=verdict_to_wire(counterfactual) if counterfactual else None,
    )


def explanation_from_wire(message: common_pb2.Explanation) -> Explained:
    """The explanation of a message.

    Raises:
        WireError: as `verdict_from_wire`, of the counterfactual.
    """
    counterfactual = message.counterfactual if message.HasField("counterfactual") else None
    return Explained(
        defect=message.defect,
        box_xyxy=box_from_wire(message.region) if message.HasField("region") else None,
        log_odds=message.log_odds,
        contribution=message.contribution,
        counterfactual=verdict_from_wire(counterfactual) if counterfactual is not None else None,
    )
