"""What became of one station's parts: a frozen tally that the station replaces part by part, and that anybody may look at.

The station's event loop calls `step`, `ended` and `alarm`, which take microseconds: each makes a new value from the old one and puts it in
its place. Readers in other threads take whatever is there. No lock is held by anybody, so nobody who looks can make the station wait.
It knows neither pages nor metrics.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from edge.ledger import Ended, Outcome
from edge.parts import Finished, Judged, Step
from edge.view.histogram import Histogram
from edge.view.pictures import as_png
from vision.inspection.drift import Drift

RECENT: Final = 300  # parts that are known one by one
_MINUTES: Final = 60
_ALARMS: Final = 30
_MODELS: Final = 16
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A part among the recent ones; milliseconds from its trigger, none where it did not come so far."""

    outcome: Outcome
    decided_ms: float | None
    driven_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last part.

    Attributes:
        at: wall time of its end.
        certified: whether a certificate in force covers its verdict; none where there is no verdict.
        draw: its picture as a PNG, with the evidence over it where it was judged; raises an ImageError where it cannot be shown.
            Some milliseconds of work, for any thread; none where there is no picture.
    """

    ended: Ended
    at: datetime
    certified: bool | None
    draw: Callable[[], bytes] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as the last part that it judged left it."""

    name: str
    certified: bool
    drift: Drift | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What a person must look at, in the words in which it was last said.

    Attributes:
        kind: the words without their numbers; alarms of one kind are one, and counted.
    """

    kind: str
    what: str
    first_at: datetime
    at: datetime
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """Outcomes within one minute of the monotonic clock."""

    minute: int
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Everything since the program started.

    Attributes:
        triggers: parts that got a number.
        parts: those that ended, by outcome and reason.
        kept: outcomes that are on the disk.
        recent: the last `RECENT` parts, the latest last.
        minutes: of the last hour, those in which a part ended, the latest last.
        models: by bundle's digest, the latest last.
        alarms: the latest last.
        alarmed: how many alarms there were.
    """

    since: datetime
    triggers: int = 0
    parts: Mapping[tuple[Outcome, str], int] = field(default_factory=dict)
    kept: int = 0
    last: Last | None = None
    recent: tuple[Past, ...] = ()
    minutes: tuple[Minute, ...] = ()
    decided: Histogram = field(default_factory=Histogram)
    driven: Histogram = field(default_factory=Histogram)
    models: Mapping[str, Model] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    alarmed: int = 0

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Parts by outcome."""
        return {
            outcome: sum(parts for (one, _), parts in self.parts.items() if one == outcome)
            for outcome in Outcome
        }

    def last_hour(self, clock_s: float) -> dict[Outcome, int]:
        """Parts by outcome within the hour before now, to the minute."""
        first = int(clock_s // 60) - _MINUTES + 1
        minutes = [one.outcomes for one in self.minutes if one.minute >= first]
        return {outcome: sum(one.get(outcome, 0) for one in minutes) for outcome in Outcome}


class Board:
    """One station's tally.

    Args:
        wall: the time for people.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._clock = wall, clock
        self.tally = Tally(since=wall())

    def step(self, part: int, step: Step) -> None:  # noqa: ARG002  (told of every part alike)
        """How far a part has come."""
        if step == Step.BEGUN:
            self.tally = replace(self.tally, triggers=self.tally.triggers + 1)
        elif step == Step.ENDED:
            self.tally = replace(self.tally, kept=self.tally.kept + 1)

    def ended(self, finished: Finished) -> None:
        """What became of a part."""
        old, ended, judged = self.tally, finished.ended, finished.judged
        key, decided, driven = (ended.outcome, ended.reason), *_moments(ended)
        past = Past(outcome=ended.outcome, decided_ms=decided, driven_ms=driven)
        self.tally = replace(
            old,
            parts={**old.parts, key: old.parts.get(key, 0) + 1},
            last=_last(finished, self._wall()),
            recent=(*old.recent[1 - RECENT :], past),
            minutes=_counted(old.minutes, int(self._clock() // 60), ended.outcome),
            decided=old.decided if decided is None else old.decided.add(decided),
            driven=old.driven if driven is None else old.driven.add(driven),
            models=old.models if judged is None else _models(old.models, judged),
        )

    def alarm(self, what: str) -> None:
        """What a person must look at."""
        old, now, kind = self.tally, self._wall(), _NUMBER.sub("#", what)
        first = Alarm(kind=kind, what=what, first_at=now, at=now, times=0)
        same = next((one for one in old.alarms if one.kind == kind), first)
        others = tuple(one for one in old.alarms if one.kind != kind)
        new = replace(same, what=what, at=now, times=same.times + 1)
        self.tally = replace(old, alarms=(*others[1 - _ALARMS :], new), alarmed=old.alarmed + 1)


def _moments(ended: Ended) -> tuple[float | None, float | None]:
    """Milliseconds from the trigger to the decision, and to the gate."""
    return ended.timings.get(Step.JUDGED), ended.timings.get(Step.DRIVEN)


def _last(finished: Finished, at: datetime) -> Last:
    judged, draw = finished.judged, None
    if judged is not None and judged.overlay is not None:
        draw = judged.overlay
    elif finished.shots:
        draw = partial(as_png, finished.shots[0])
    certified = None if judged is None else judged.verdict.certified
    return Last(ended=finished.ended, at=at, certified=certified, draw=draw)


def _models(old: Mapping[str, Model], judged: Judged) -> dict[str, Model]:
    others = [one for one in old.items() if one[0] != judged.bundle]
    new = Model(name=judged.model, certified=judged.verdict.certified, drift=judged.drift)
    return {**dict(others[1 - _MODELS :]), judged.bundle: new}


def _counted(minutes: tuple[Minute, ...], minute: int, outcome: Outcome) -> tuple[Minute, ...]:
    known: Mapping[Outcome, int] = {}
    before = minutes
    if minutes and minutes[-1].minute == minute:
        before, known = minutes[:-1], minutes[-1].outcomes
    new = Minute(minute=minute, outcomes={**known, outcome: known.get(outcome, 0) + 1})
    return (*before[1 - _MINUTES :], new)
