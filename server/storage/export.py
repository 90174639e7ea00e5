"""Results as CSV (RFC 4180): one header, one line a result with what a person found, times in UTC.

Takes rows and a text file, and knows nothing of databases. The file must be opened with `newline=""`.
"""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from server.storage.results import RESULT_FIELDS, Disposition, ResultRow

RESULT_HEADER: Final = tuple(name for name in RESULT_FIELDS if name != "answer")
HEADER: Final = (*RESULT_HEADER, "found_label", "found_by", "found_note", "found_at")


def write_csv(rows: Iterable[tuple[ResultRow, Disposition | None]], file: TextIO) -> int:
    """Write results line by line; what is absent is an empty field, answers are left out.

    Returns:
        How many results there were.
    """
    writer = csv.writer(file)  # its usual dialect ends lines and quotes as RFC 4180 has it
    writer.writerow(HEADER)
    count = 0
    for count, (result, disposition) in enumerate(rows, start=1):  # noqa: B007  (the last one is how many there were)
        found = (
            (disposition.label, disposition.by, disposition.note, disposition.found_at)
            if disposition
            else [None] * 4
        )
        writer.writerow(
            _text(value) for value in (*(getattr(result, name) for name in RESULT_HEADER), *found)
        )
    return count


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
