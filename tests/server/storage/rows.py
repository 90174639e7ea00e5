"""Results to keep, made up one by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from server.storage.database import Database
from server.storage.dispositions import Dispositions
from server.storage.results import Disposition, ResultRow
from server.storage.writer import Writer
from vision.inspection.policy import Decision, Reason

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


def result(**changed: Any) -> ResultRow:
    """An accepted part, but for what is `changed`."""
    usual = ResultRow(
        id=uuid4().hex,
        principal="station-1",
        method="Inspect",
        payload_sha256="0" * 64,
        model_name="cells",
        model_version="1.0",
        model_digest="d" * 64,
        model_file="model.int8.onnx",
        decision=Decision.ACCEPT,
        reason=Reason.CONFIDENT,
        detail="probability of defect 0.001, accepted up to 0.01",
        label="good",
        probability=0.001,
        novelty=0.25,
        certified=True,
        judged_at=NOON,
        total_ms=21.5,
    )
    return replace(usual, **changed)


def review(**changed: Any) -> ResultRow:
    """A part that waits for a person."""
    return result(**({"decision": Decision.REVIEW, "reason": Reason.UNCERTAIN, "certified": False} | changed))


def found(label: str = "good", **changed: Any) -> Disposition:
    return replace(Disposition(label=label, by="ada", note="", found_at=NOON), **changed)


async def keep_all(database: Database, rows: Sequence[ResultRow]) -> list[bool]:
    """Write rows one after the other, as a server does."""
    writer = Writer(database, 100)
    try:
        return [await writer.add(row) for row in rows]
    finally:
        await writer.close()


def keep(database: Database, *rows: ResultRow) -> None:
    asyncio.run(keep_all(database, rows))


def dispose(database: Database, row: ResultRow, disposition: Disposition) -> None:
    asyncio.run(Dispositions(database).dispose(row.id, disposition))
