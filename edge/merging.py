"""Many verdicts to one: what becomes of a part that several cameras or tiles have seen.

By `any`, one picture that is rejected rejects the part, and one that needs a person sends it to one. A part escapes only if every picture
that shows its defect is accepted, so the escape rate certified for a picture bounds the part's. By `majority` it does not, and the
verdict counts as uncertified.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from vision.inspection.policy import Decision, Verdict

Merge = Literal["any", "majority"]
_WORST: tuple[Decision, ...] = (Decision.REJECT, Decision.REVIEW, Decision.ACCEPT)


def merge(verdicts: Sequence[Verdict], how: Merge) -> tuple[int, Verdict]:
    """The part's verdict, and which of `verdicts` is its reason: of those that decided so, the most probable defect.

    The probability is the highest of all pictures; the verdict is certified where each one is. At least one verdict is needed.
    """
    decision = _worst(verdicts) if how == "any" else _majority(verdicts)
    agreeing = [number for number, one in enumerate(verdicts) if one.decision == decision]
    decisive = max(agreeing or range(len(verdicts)), key=lambda number: _probability(verdicts[number]))
    known = [one.probability for one in verdicts if one.probability is not None]
    merged = replace(
        verdicts[decisive],
        decision=decision,
        probability=max(known, default=None),
        certified=all(one.certified for one in verdicts) and (how == "any" or len(verdicts) == 1),
    )
    return decisive, merged


def _worst(verdicts: Sequence[Verdict]) -> Decision:
    return min((one.decision for one in verdicts), key=_WORST.index)


def _majority(verdicts: Sequence[Verdict]) -> Decision:
    """What more than half say; a person decides where no such half is."""
    for decision in _WORST:
        if 2 * sum(one.decision == decision for one in verdicts) > len(verdicts):
            return decision
    return Decision.REVIEW


def _probability(verdict: Verdict) -> float:
    return -1.0 if verdict.probability is None else verdict.probability
