"""A station's ledger as its outbox: rows in order of their numbers, and up to which one a server has them.

Reads through a connection of its own that only reads, which holds up no writer. `acknowledged.json` names the last part that a server has
acknowledged, by boot and part: where the ledger has no such row, it was set aside and another begun, and reporting starts at its first row. The
file need not survive a power cut, since what is reported again is not doubled. It knows nothing of servers.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.ledger import FILE, Outcome
from vision.errors import StorageError
from vision.files import atomic_path

CURSOR: Final = "acknowledged.json"
_COLUMNS: Final = "part, boot, triggered_at, counter, outcome, reason, detail, probability, label, bundle, frame_id, timings"
_RECENT: Final = 1000  # parts among which the last verdict is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A part with its outcome, as `edge.ledger` keeps it."""

    part: int
    boot: str
    triggered_at: datetime
    counter: int | None
    outcome: Outcome
    reason: str
    detail: str
    probability: float | None
    label: str | None
    bundle: str | None
    frame_id: int | None
    timings: Mapping[str, float]


@dataclass(slots=True)
class Mark:
    """What the thread that reports and the thread that keeps the ledger tell each other: single values, each set by one of them.

    Attributes:
        opened: set once the ledger is there to be read.
        acknowledged: a server has every part up to this one.
        discarded: rows that were deleted, ever, before that.
    """

    opened: threading.Event = field(default_factory=threading.Event)
    acknowledged: int = 0
    discarded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One station's parts.

    Attributes:
        folder: of its ledger.
        counts: parts by outcome since this boot; called in the uplink's thread.
        alarm: told what a person must look at, in the uplink's thread.
    """

    station: str
    boot: str
    folder: Path
    mark: Mark
    counts: Callable[[], Mapping[Outcome, int]]
    alarm: Callable[[str], None]


class Outbox:
    """The ledger in `folder`, read by one thread; opened when first asked. Methods raise a StorageError where it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def rows(self, after: int, most: int) -> list[Row]:
        """The rows that follow a part, up to the first that has no outcome yet."""
        found = self._all(f"SELECT {_COLUMNS} FROM part WHERE part > ? ORDER BY part LIMIT ?", after, most)  # noqa: S608  (our own columns)
        ended = next((number for number, one in enumerate(found) if one[4] is None), len(found))
        return [_row(one) for one in found[:ended]]

    def waiting(self, after: int) -> int:
        """How many rows there are after a part, those included that have no outcome yet."""
        return int(
            self._all(
                "SELECT max(0, coalesce(max(part), 0) - max(?, coalesce(min(part), 1) - 1)) FROM part", after
            )[0][0]
        )

    def bundle(self) -> str:
        """The digest of the bundle that gave the last verdict; empty where there was none lately."""
        found = self._all(
            "SELECT bundle FROM part WHERE bundle IS NOT NULL AND part > (SELECT max(part) FROM part) - ? ORDER BY part DESC LIMIT 1",
            _RECENT,
        )
        return str(found[0][0]) if found else ""

    def has(self, boot: str, part: int) -> bool:
        return bool(self._all("SELECT 1 FROM part WHERE part = ? AND boot = ?", part, boot))

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"{self._file}: cannot be read: {error}") from error


def _row(found: tuple[Any, ...]) -> Row:
    part, boot, at, counter, outcome, reason, detail, probability, label, bundle, frame_id, timings = found
    return Row(
        part=part,
        boot=boot,
        triggered_at=datetime.fromisoformat(at),
        counter=counter,
        outcome=Outcome(outcome),
        reason=reason,
        detail=detail,
        probability=probability,
        label=label,
        bundle=bundle,
        frame_id=frame_id,
        timings=json.loads(timings),
    )


def acknowledged(folder: Path) -> int:
    """Up to which part of the ledger in `folder` a server has them all; 0 where that is not known.

    Raises:
        StorageError: the ledger cannot be read.
    """
    try:
        said = json.loads((folder / CURSOR).read_bytes())
        boot, part = str(said["boot"]), int(said["part"])
    except (OSError, ValueError, TypeError, KeyError):  # never written, or torn by a power cut
        return 0
    with closing(Outbox(folder)) as outbox:
        return part if outbox.has(boot, part) else 0


def acknowledge(folder: Path, boot: str, part: int) -> None:
    """Remember that a server has every part up to this one.

    Raises:
        StorageError: the disk refused.
    """
    with atomic_path(folder / CURSOR, sync=False) as unfinished:
        unfinished.write_text(json.dumps({"boot": boot, "part": part}))
