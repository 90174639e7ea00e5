"""Parts that have ended, for a board."""

from edge.ledger import Ended, Outcome
from edge.parts import Finished, Judged, Step
from tests.edge.world import judged
from vision.inspection.policy import Decision


def finished(
    part: int,
    outcome: Outcome = Outcome.ACCEPT,
    reason: str = "confident",
    *,
    decided_ms: float | None = 10.0,
    driven_ms: float | None = 250.0,
    said: Judged | None = None,
) -> Finished:
    moments = {Step.JUDGED.value: decided_ms, Step.DRIVEN.value: driven_ms}
    timings = {step: ms for step, ms in moments.items() if ms is not None}
    ended = Ended(part=part, outcome=outcome, reason=reason, detail="said so", timings=timings)
    if said is None and outcome in {Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW}:
        said = judged(Decision(outcome))
    return Finished(ended=ended, judged=said)
