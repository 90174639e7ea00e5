"""Rows of a ledger as the messages that report them. The same row gives the same message, whenever it is sent. It sends nothing."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final

from edge.ledger import Outcome
from edge.outbox import Row
from vision.errors import WireError
from vision.v1 import fleet_pb2

_OUTCOMES: Final = {one: getattr(fleet_pb2, f"OUTCOME_{one.name}") for one in Outcome}
_MAX_DETAIL: Final = 2000  # characters, as the message has it
_MAX_WORD: Final = 128


def request_of(station: str, rows: Sequence[Row]) -> fleet_pb2.ReportResultsRequest:
    return fleet_pb2.ReportResultsRequest(station=station, results=map(_result, rows))


def counts_of(outcomes: Mapping[Outcome, int]) -> fleet_pb2.OutcomeCounts:
    return fleet_pb2.OutcomeCounts(**{one.value: outcomes.get(one, 0) for one in Outcome})


def refusals(rows: Sequence[Row], response: fleet_pb2.ReportResultsResponse) -> dict[int, str]:
    """Why parts were refused, by part; all others of the rows are kept.

    Raises:
        WireError: the answer is not to these rows.
    """
    expected = [(one.boot, one.part) for one in rows]
    found = [(one.boot, one.part) for one in response.acknowledgements]
    if expected != found:
        raise WireError(
            f"expected {len(expected)} acknowledgements from {expected[0]} to {expected[-1]}, "
            f"found {json.dumps([found[0], found[-1]]) if found else 'none'}"
        )
    return {one.part: one.refusal.message for one in response.acknowledgements if one.HasField("refusal")}


def _result(row: Row) -> fleet_pb2.PartResult:
    result = fleet_pb2.PartResult(
        boot=row.boot,
        part=row.part,
        outcome=_OUTCOMES[row.outcome],
        reason=_text(row.reason, 64),
        detail=_text(row.detail, _MAX_DETAIL),
        probability=row.probability,
        label=_text(row.label or "", _MAX_WORD),
        bundle=_text(row.bundle or "", _MAX_WORD),
        counter=row.counter,
        frame_id=row.frame_id,
        timings_ms={stage: ms for stage, ms in row.timings.items() if math.isfinite(ms)},
    )
    result.triggered_at.FromDatetime(row.triggered_at)
    return result


def _text(text: str, most: int) -> str:
    """As it may be sent: not every database keeps NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]
