"""Results as CSV (RFC 4180): one header, one line a result with what a person found, times in UTC.

A part that a station reported is a line of the same columns: its `id` is `STATION/BOOT/PART`, its `decision` may be `timeout` or `fault` as
well, its `model_digest` names the bundle, and `judged_at` is when it was triggered.

Takes rows and a text file, and knows nothing of databases. The file must be opened with `newline=""`.
"""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from server.storage.results import RESULT_FIELDS, Disposition, ResultRow
from server.storage.stations import StationResult

RESULT_HEADER: Final = tuple(name for name in RESULT_FIELDS if name != "answer")
HEADER: Final = (*RESULT_HEADER, "found_label", "found_by", "found_note", "found_at")


Row = tuple[ResultRow, Disposition | None] | StationResult


def write_csv(rows: Iterable[Row], file: TextIO) -> int:
    """Write results line by line; what is absent is an empty field, answers are left out.

    Returns:
        How many results there were.
    """
    writer = csv.writer(file)  # its usual dialect ends lines and quotes as RFC 4180 has it
    writer.writerow(HEADER)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  (the last one is how many there were)
        fields = _reported(row) if isinstance(row, StationResult) else _judged(*row)
        writer.writerow(_text(fields.get(name)) for name in HEADER)
    return count


def _judged(result: ResultRow, found: Disposition | None) -> dict[str, Any]:
    fields = {name: getattr(result, name) for name in RESULT_HEADER}
    if found is not None:
        fields |= {
            "found_label": found.label,
            "found_by": found.by,
            "found_note": found.note,
            "found_at": found.found_at,
        }
    return fields


def _reported(one: StationResult) -> dict[str, Any]:
    return {
        "id": f"{one.station}/{one.boot}/{one.part}",
        "principal": one.station,
        "method": "ReportResults",
        "payload_sha256": one.sha256(),
        "model_digest": one.bundle,
        "decision": one.outcome,
        "reason": one.reason,
        "detail": one.detail,
        "label": one.label,
        "probability": one.probability,
        "part": one.part,
        "judged_at": one.triggered_at,
        "total_ms": one.timings_ms.get("driven"),
    }


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
