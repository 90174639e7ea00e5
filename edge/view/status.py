"""A station's state as the page reads it: plain values for JSON, times in UTC, durations in milliseconds."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from edge.ledger import Outcome
from edge.view.board import Last, Model, Past, Tally
from edge.view.watch import Watch

_STRIP: Final = 40  # parts whose outcomes are listed one by one
_HUNDRED: Final = 100
_BINS: Final = 25  # of the latency chart; the due time is the end of the twentieth
_BINS_TO_DUE: Final = 20


def station_status(watch: Watch) -> dict[str, Any]:
    """Everything the page shows of one station."""
    tally = watch.board.tally
    outcomes = tally.outcomes
    return {
        "name": watch.station.name,
        "state": watch.state(),
        "error": watch.ended() or "",
        "since": _utc(tally.since),
        "due_ms": watch.due_ms,
        "last": None if tally.last is None else _last(watch.station.name, tally.last),
        "counts": {
            "start": _counts(outcomes),
            "hour": _counts(tally.last_hour(time.monotonic())),
            "hundred": _counts(_outcomes(tally.recent[-_HUNDRED:])),
        },
        "reasons": [
            {"outcome": outcome, "reason": reason, "parts": parts}
            for (outcome, reason), parts in sorted(tally.parts.items())
        ],
        "recent": [one.outcome for one in tally.recent[-_STRIP:]],
        "latency": _latency(tally.recent, watch.due_ms),
        "health": [
            {"what": what, "well": one.well, "since": one.since and _utc(one.since), "error": one.error}
            for what, one in watch.station.health().items()
        ],
        "models": [{"bundle": digest, **_model(one)} for digest, one in reversed(list(tally.models.items()))],
        "ledger": _ledger(tally, outcomes, watch.station.refusals),
        "alarms": [
            {"what": one.what, "first_at": _utc(one.first_at), "at": _utc(one.at), "times": one.times}
            for one in reversed(tally.alarms)
        ],
    }


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _finite(value: float | None) -> float | None:
    """JSON knows no other numbers."""
    return value if value is not None and math.isfinite(value) else None


def _last(station: str, last: Last) -> dict[str, Any]:
    ended = last.ended
    return {
        "part": ended.part,
        "at": _utc(last.at),
        "outcome": ended.outcome,
        "reason": ended.reason,
        "detail": ended.detail,
        "probability": _finite(ended.probability),
        "label": ended.label,
        "frame_id": ended.frame_id,
        "certified": last.certified,
        "timings": dict(ended.timings),
        "picture": None if last.draw is None else f"/stations/{station}/last.png?part={ended.part}",
    }


def _outcomes(parts: Iterable[Past]) -> dict[Outcome, int]:
    found = dict.fromkeys(Outcome, 0)
    for one in parts:
        found[one.outcome] += 1
    return found


def _counts(outcomes: Mapping[Outcome, int]) -> dict[str, Any]:
    """Parts by outcome, and the share of all parts that was accepted."""
    parts = sum(outcomes.values())
    accepted = outcomes.get(Outcome.ACCEPT, 0) / parts if parts else None
    return {**{str(one): count for one, count in outcomes.items()}, "parts": parts, "yield": accepted}


def _latency(recent: Sequence[Past], due_ms: float) -> dict[str, Any]:
    return {
        "parts": len(recent),
        "timeouts": sum(one.outcome == Outcome.TIMEOUT for one in recent),
        "bin_ms": due_ms / _BINS_TO_DUE,
        "decided": _spread([one.decided_ms for one in recent if one.decided_ms is not None], due_ms),
        "driven": _spread([one.driven_ms for one in recent if one.driven_ms is not None], due_ms),
    }


def _spread(times_ms: Sequence[float], due_ms: float) -> dict[str, Any]:
    """Counts by bin, the last one open to the right; and the usual and the worst."""
    counts, ordered = [0] * _BINS, sorted(times_ms)
    for ms in ordered:
        counts[min(_BINS - 1, max(0, int(ms * _BINS_TO_DUE / due_ms)))] += 1
    if not ordered:
        return {"counts": counts, "p50_ms": None, "p99_ms": None, "max_ms": None}
    last = len(ordered) - 1
    return {
        "counts": counts,
        "p50_ms": ordered[last // 2],
        "p99_ms": ordered[math.ceil(0.99 * last)],
        "max_ms": ordered[-1],
    }


def _model(model: Model) -> dict[str, Any]:
    drift = model.drift
    watched = drift and {
        "alarm": drift.alarm,
        "parts": drift.parts,
        "log_capital": _finite(drift.log_capital),
        "alarm_at": -math.log(drift.alpha),
    }
    return {"name": model.name, "certified": model.certified, "drift": watched}


def _ledger(tally: Tally, outcomes: Mapping[Outcome, int], refusals: int) -> dict[str, Any]:
    """Every trigger is on its way, has ended, or is on the disk with its outcome; anything else is a part lost."""
    ended = sum(outcomes.values())
    return {
        "triggers": tally.triggers,
        "ended": ended,
        "on_their_way": tally.triggers - ended,
        "kept": tally.kept,
        "refusals": refusals,
        "balanced": refusals == 0 and tally.kept <= ended <= tally.triggers,
    }
