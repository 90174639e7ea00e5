"""How a new model does against the old one, over its first parts. Pure: told of parts, asked for a verdict.

Only parts that had their pictures count: what a camera or a gate did says nothing about a model. A part counts as failed when it ended as a
timeout or a fault nevertheless.
"""

import statistics
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.ledger import Outcome
from edge.parts import Finished

_WINDOW: Final = 200  # parts that a model is known by
_ENOUGH: Final = 20  # parts before a median is believed
_CERTAIN: Final = 5  # failures that need no comparison, where most parts fail
_FINEST_MS: Final = 1.0  # below it, a ratio compares the clock and the scheduler
_NOT_THE_MODELS: Final = frozenset({"output", "ledger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a new model must keep.

    Attributes:
        parts: after so many it is confirmed.
        minutes: after so many as well, where a few parts were seen.
        more_faults: the share of failed parts may be so much above the old model's.
        latency_ratio: the median time of the model may be so many times the old one's.
    """

    parts: int
    minutes: float
    more_faults: float
    latency_ratio: float


@dataclass(frozen=True, slots=True)
class Record:
    """What a model did at one seat: its milliseconds for each part, none for a part that failed; the last ones of `seen`."""

    taken: tuple[float | None, ...] = ()
    seen: int = 0

    @property
    def failures(self) -> int:
        return sum(one is None for one in self.taken)

    @property
    def times(self) -> list[float]:
        return [one for one in self.taken if one is not None]

    def median_ms(self) -> float | None:
        """None where too few parts were seen."""
        return statistics.median(self.times) if len(self.times) >= _ENOUGH else None


class Tally:
    """Keeps a record; may be told from one thread and asked from another.

    Args:
        window: parts that are remembered.
    """

    def __init__(self, window: int = _WINDOW) -> None:
        self._taken: deque[float | None] = deque(maxlen=window)
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, finished: Finished) -> bool:
        """Count a part; false where it says nothing about the model."""
        ended = finished.ended
        failed = ended.outcome in {Outcome.TIMEOUT, Outcome.FAULT}
        if not finished.shots or ended.reason in _NOT_THE_MODELS:
            return False
        taken = None if failed or finished.judged is None else finished.judged.timings.get("model", 0.0)
        with self._lock:
            self._taken.append(taken)
            self._seen += 1
        return True

    def record(self) -> Record:
        with self._lock:
            return Record(tuple(self._taken), self._seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One seat's new model beside its old one, which took `usual_ms`."""

    old: Record
    new: Record
    usual_ms: float


def regression(pairs: Sequence[Pair], terms: Terms) -> str | None:
    """Why the new model must go; none as long as it need not."""
    return _faults(pairs, terms) or _latency(pairs, terms)


def passed(pairs: Sequence[Pair], terms: Terms, minutes: float) -> bool:
    """Whether enough was seen of a model that shows no regression."""
    seen = sum(one.new.seen for one in pairs)
    return seen >= terms.parts or (minutes >= terms.minutes and seen >= min(_ENOUGH, terms.parts))


def _faults(pairs: Sequence[Pair], terms: Terms) -> str | None:
    old_seen = sum(len(one.old.taken) for one in pairs)
    usual = sum(one.old.failures for one in pairs) / old_seen if old_seen else 0.0
    seen, failures = sum(one.new.seen for one in pairs), sum(one.new.failures for one in pairs)
    allowed = usual + terms.more_faults
    too_many = failures > allowed * max(seen, terms.parts)  # whatever the rest of the trial brings
    most = failures >= _CERTAIN and failures > (allowed + 1) / 2 * seen
    if not (too_many or most):
        return None
    return f"faults: {failures} of {seen} parts failed that had their pictures; expected at most {allowed:.1%}, with {usual:.1%} before"


def _latency(pairs: Sequence[Pair], terms: Terms) -> str | None:
    ratios = [taken / max(one.usual_ms, _FINEST_MS) for one in pairs for taken in one.new.times]
    if len(ratios) < min(_ENOUGH, terms.parts):
        return None
    ratio = statistics.median(ratios)
    if ratio <= terms.latency_ratio:
        return None
    usual = ", ".join(f"{one.usual_ms:.2g} ms" for one in pairs)
    return f"latency: the model's median is {ratio:.2g} times the old one's ({usual}); expected at most {terms.latency_ratio:g} times"
