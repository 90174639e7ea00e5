"""Judges a recorded shift again and says what came out otherwise.

From a fresh drift test, in the recorded order, through `edge.judging`, as the station did. On the same fingerprint the same models must say the
same to the last bit. What a gap or a spoilt picture hides from the drift test cannot be made up for; what differs after it is told apart.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge.parts import Judge, Judged
from edge.ports import Shot
from edge.shift.bench import Bench
from edge.shift.format import JudgedLine, Said, same, to_said
from edge.shift.reader import Frames, Shift
from vision.errors import ImageError

FAULT: Final = "fault"
_MOST_NUMBERS: Final = (
    1000  # differences in numbers alone that are listed: on another machine every part may have one
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said of a part: a verdict, or the error that judging it ended in."""

    said: Said | None
    error: str = ""

    @property
    def decision(self) -> str:
        """`accept`, `reject`, `review`, or `fault` where there is none."""
        return FAULT if self.said is None else str(self.said.decision)

    def equals(self, other: "Answer") -> bool:
        """To the last bit of every number."""
        return self.error == other.error and same(self.said, other.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A part of which the replay says something else.

    Attributes:
        n: its number in the recording; `part` is the one in the ledger, absent where the recording ended before the part did.
        unsure: a part before it is missing that the drift test had seen.
    """

    n: int
    part: int | None
    recipe: int | None
    before: Answer
    after: Answer
    unsure: bool

    @property
    def change(self) -> float | None:
        """Of the probability of defect."""
        if self.before.said is None or self.after.said is None:
            return None
        before, after = self.before.said.probability, self.after.said.probability
        return None if before is None or after is None else after - before


@dataclass(slots=True)
class Replayed:
    """What a replay found.

    Attributes:
        judged: parts judged again, of which `identical` got the same answer to the last bit; `left_out` were not asked for.
        transitions: decisions of the recording and of the replay, and of how many parts; also those that stayed.
        differences: all in decisions, and the first of those in numbers alone where these were asked for.
        largest_change: of a probability of defect, whichever way, over all parts.
        spoilt: parts whose pictures are not what was recorded, and what is wrong.
    """

    judged: int = 0
    identical: int = 0
    left_out: int = 0
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    largest_change: float = 0.0
    spoilt: list[tuple[int, str]] = field(default_factory=list)
    _numbers: int = 0

    def differs(self, one: Difference, *, numbers: bool) -> bool:
        """Count a difference; whether it is one to list."""
        self.largest_change = max(self.largest_change, abs(one.change or 0.0))
        if one.before.decision == one.after.decision:
            self._numbers += 1
            if not numbers or self._numbers > _MOST_NUMBERS:
                return False
        self.differences.append(one)
        return True


Shown = Callable[[Difference, JudgedLine, tuple[Shot, ...], Judged | None], None]
"""Told of each difference while its pictures are at hand; `Judged` is the replay's, absent where it ended in an error."""


def replay(
    shift: Shift,
    bench: Bench,
    *,
    numbers: bool = True,
    shown: Shown = lambda *_: None,
    advance: Callable[[], None] = lambda: None,
) -> Replayed:
    """Judge a station's recording again.

    Args:
        numbers: list also what differs in numbers alone.
        advance: called after each part.

    Raises:
        InputError: the recording is damaged beyond single pictures.
        LoupeError: what the bench raises.
    """
    found = Replayed()
    missing = min((first for first, _ in shift.gaps), default=shift.last + 1)
    with Frames(shift.folder) as frames:
        for line in shift.judged():
            advance()
            judge = bench(line)
            if judge is None:
                found.left_out += 1
                continue
            try:
                shots = frames.shots(line)
            except ImageError as error:
                found.spoilt.append((line.n, str(error)))
                missing = min(missing, line.n)
                continue
            judged, after = _judged(judge, shots)
            before = Answer(said=line.said, error=line.error)
            found.judged += 1
            found.transitions[before.decision, after.decision] += 1
            if before.equals(after):
                found.identical += 1
                continue
            difference = _difference(shift, line, before, after, missing)
            if found.differs(difference, numbers=numbers):
                shown(difference, line, shots, judged)
    return found


def _judged(judge: Judge, shots: tuple[Shot, ...]) -> tuple[Judged | None, Answer]:
    try:
        judged = judge(shots)
    except Exception as error:  # noqa: BLE001  (what was an internal fault at the line is an answer here)
        return None, Answer(said=None, error=f"{type(error).__name__}: {error}")
    return judged, Answer(said=to_said(judged.verdict))


def _difference(shift: Shift, line: JudgedLine, before: Answer, after: Answer, missing: int) -> Difference:
    ended = shift.ended.get(line.n)
    return Difference(
        n=line.n,
        part=None if ended is None else ended.part,
        recipe=line.recipe,
        before=before,
        after=after,
        unsure=shift.header.drift_alpha is not None and missing < line.n,
    )
