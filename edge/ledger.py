"""The part ledger: one SQLite file a station, in which every trigger has a row and every row gets an outcome.

Law: a row is committed before any output but the fail-safe one moves for its part, and its outcome is committed after the output
moved. So a row that is open when the file is opened was cut short: whether its output moved is not known, and it becomes
`fault: output_unknown`. Row numbers leave no gaps. Where limits are given, old rows that a server has acknowledged are deleted, a few with
each commit, and go on being counted. It knows nothing of cameras, models, outputs or servers, and is used by one thread.
"""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from edge import pruning
from edge.pruning import Limits, Pruning
from vision.errors import StorageError
from vision.files import held

FILE: Final = "ledger.db"
_RESERVE: Final = "reserve"
_LOCK: Final = "lock"
_SCHEMA_VERSION: Final = 2
_PARTS: Final = """
CREATE TABLE part (
  part INTEGER PRIMARY KEY,
  boot TEXT NOT NULL,
  triggered_at TEXT NOT NULL,
  counter INTEGER,
  outcome TEXT CHECK (outcome IN ('accept', 'reject', 'review', 'timeout', 'fault')),
  reason TEXT,
  detail TEXT,
  probability REAL,
  label TEXT,
  bundle TEXT,
  frame_id INTEGER,
  timings TEXT
) STRICT;
CREATE INDEX open_part ON part (part) WHERE outcome IS NULL;
"""
_STEPS: Final = (_PARTS + pruning.SCHEMA, pruning.SCHEMA)  # what leads from schema 0 and 1 to the newest
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})


_Counts = tuple[str | None, int, int]


class Outcome(StrEnum):
    """What became of a part. The first three are verdicts; the last two drove the fail-safe output."""

    ACCEPT = "accept"
    REJECT = "reject"
    REVIEW = "review"
    TIMEOUT = "timeout"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A trigger. `at` is wall time, for people; `counter` what the triggering device counted, if it counts."""

    part: int
    at: datetime
    counter: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A part's outcome.

    Attributes:
        reason: one word, such as a verdict's reason or `camera`.
        timings: milliseconds by stage (prepare, model, decide), and from the trigger until each step was reached.
    """

    part: int
    outcome: Outcome
    reason: str
    detail: str = ""
    probability: float | None = None
    label: str | None = None
    bundle: str | None = None
    frame_id: int | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What opening a ledger found.

    Attributes:
        last_part: 0 where there is none.
        cut_short: parts that were open and are faults now.
        set_aside: where a damaged file was moved; nothing of it was used.
        unreserved: the disk had no room for the reserve.
    """

    last_part: int
    last_counter: int | None
    cut_short: int
    set_aside: Path | None
    unreserved: bool = False


class Ledger:
    """An open ledger in `folder`, made where it is missing, and held against every other program until it is closed.

    Args:
        boot: names this run of the program; with the station and the part it names a result for ever.
        reserve_bytes: kept allocated on the disk; given up, once, when the disk is full.
        limits: absent: every row stays.

    Raises:
        StorageError: the disk refused, another program has the ledger open, or the file was written by a newer Loupe.
    """

    def __init__(self, folder: Path, *, boot: str, reserve_bytes: int, limits: Limits | None = None) -> None:
        self._folder, self._boot = folder, boot
        with ExitStack() as held_for_now:
            held_for_now.enter_context(ledger_held(folder))
            set_aside = _set_aside_if_damaged(folder / FILE)
            self._connection = _connect(folder / FILE)
            held_for_now.callback(self._connection.close)
            self._reserved = _reserve(folder / _RESERVE, reserve_bytes)
            self._pruning: Pruning | None = None  # nothing is deleted until all is recovered
            self.found = replace(
                self._recover(set_aside), unreserved=reserve_bytes > 0 and not self._reserved
            )
            self._pruning = None if limits is None else Pruning(self._connection, limits)
            self._held = held_for_now.pop_all()

    @property
    def reserved(self) -> bool:
        """Whether the reserve is still there."""
        return self._reserved

    @property
    def discarded(self) -> int:
        """Rows that were deleted, ever, before a server had acknowledged them."""
        return 0 if self._pruning is None else self._pruning.discarded

    def commit(self, changes: Sequence[Begun | Ended], *, acknowledged: int = 0) -> None:
        """Make changes durable, all or none, in order; and delete some old rows with them, where there are limits.

        Args:
            acknowledged: a server has every part up to this one.

        Raises:
            StorageError: the disk refused; after a full disk the reserve was given up and did not suffice. Or a text cannot be written
                as UTF-8, or a number in 64 bits.
        """
        try:
            self._write(changes, acknowledged)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _FULL or not self._give_up_reserve():
                raise StorageError(f"{self._folder / FILE}: cannot be written: {error}") from error
            self.commit(changes, acknowledged=acknowledged)
        except (sqlite3.DatabaseError, UnicodeEncodeError, OverflowError) as error:  # the last two: of values
            raise StorageError(f"{self._folder / FILE}: cannot be written: {error}") from error

    def close(self) -> None:
        self._held.close()

    def _write(self, changes: Sequence[Begun | Ended], acknowledged: int) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                if isinstance(change, Begun):
                    self._connection.execute(
                        "INSERT INTO part (part, boot, triggered_at, counter) VALUES (?, ?, ?, ?)",
                        (change.part, self._boot, change.at.astimezone(UTC).isoformat(), change.counter),
                    )
                else:
                    self._end(change)
            if self._pruning is not None:
                self._pruning.step(max((one.part for one in changes), default=0), acknowledged)
        if self._pruning is not None:
            self._pruning.committed()

    def _end(self, one: Ended) -> None:
        ended = self._connection.execute(
            "UPDATE part SET outcome = ?, reason = ?, detail = ?, probability = ?, label = ?, bundle = ?, frame_id = ?, "
            "timings = ? WHERE part = ? AND outcome IS NULL",
            (
                one.outcome, one.reason, one.detail, one.probability, one.label, one.bundle, one.frame_id,
                json.dumps(dict(one.timings)), one.part,
            ),
        )  # fmt: skip
        if ended.rowcount != 1:
            raise sqlite3.IntegrityError(f"part {one.part} is not open")

    def _give_up_reserve(self) -> bool:
        had, self._reserved = self._reserved, False
        if had:
            try:
                (self._folder / _RESERVE).unlink(missing_ok=True)
            except OSError:  # a disk that may not be written any more
                return False
        return had

    def _recover(self, set_aside: Path | None) -> Found:
        rows = self._connection.execute(
            "SELECT part FROM part WHERE outcome IS NULL ORDER BY part"
        ).fetchall()
        self.commit(
            [
                Ended(
                    part=part,
                    outcome=Outcome.FAULT,
                    reason="output_unknown",
                    detail="the program ended before the outcome was kept",
                )
                for (part,) in rows
            ]
        )
        last_part, last_counter = self._connection.execute(
            "SELECT coalesce(max(part), 0), (SELECT counter FROM part WHERE counter IS NOT NULL ORDER BY part DESC LIMIT 1) FROM part"
        ).fetchone()
        return Found(last_part=last_part, last_counter=last_counter, cut_short=len(rows), set_aside=set_aside)


@contextmanager
def ledger_held(folder: Path) -> Iterator[None]:
    """A ledger's folder, made where it is missing, held against other programs that would judge the same parts.

    Raises:
        StorageError: another program is at work there, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror or error}") from error
    with held(folder / _LOCK):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A ledger's account of its triggers.

    Attributes:
        triggers: the last row's number.
        outcomes: parts by outcome, those included whose rows were deleted since.
        open: rows without one: in flight, or cut short and not yet recovered.
        missing: numbers that never had a row.
        pruned: rows that were deleted.
        discarded: those of them that no server had acknowledged.
    """

    triggers: int
    outcomes: Mapping[Outcome, int]
    open: int
    missing: int
    pruned: int = 0
    discarded: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every trigger has an outcome."""
        return self.triggers == sum(self.outcomes.values())


def audit(path: Path) -> Audit:
    """Count a ledger, also while a station writes it.

    Args:
        path: the file, or its folder.

    Raises:
        StorageError: no ledger is there, or it cannot be read.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise StorageError(f"{file}: expected a ledger, found no file")
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows, pruned = _counted(connection)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{file}: expected a ledger: {error}") from error
    gone = sum(parts for _, parts, _ in pruned)
    counts = Counter({outcome: count for outcome, count, _ in rows})
    counts.update({outcome: parts for outcome, parts, _ in pruned})
    triggers = max((last for _, _, last in rows), default=gone)
    return Audit(
        triggers=triggers,
        outcomes={outcome: counts[outcome] for outcome in Outcome},
        open=counts[None],
        missing=triggers - counts.total(),
        pruned=gone,
        discarded=sum(discarded for _, _, discarded in pruned),
    )


def _counted(connection: sqlite3.Connection) -> tuple[list[_Counts], list[_Counts]]:
    """Rows by outcome with the last of each, and those that were deleted with how many of them were discarded; at one moment."""
    connection.execute("BEGIN")
    rows = connection.execute("SELECT outcome, count(*), max(part) FROM part GROUP BY outcome").fetchall()
    return rows, pruning.totals(connection)


def _connect(file: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if 0 <= version < _SCHEMA_VERSION:
            connection.executescript(
                f"BEGIN; {_STEPS[version]} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
            )
        elif version != _SCHEMA_VERSION:
            connection.close()
            raise StorageError(
                f"{file}: expected schema {_SCHEMA_VERSION}, found {version}: a newer Loupe wrote it"
            )
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{file}: cannot be opened: {error}") from error
    return connection


def _set_aside_if_damaged(file: Path) -> Path | None:
    """Move a damaged ledger out of the way, with its journal, so that the line can go on; people look at it later."""
    if not file.exists() or _sound(file):
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = file.with_name(f"{file.name}.damaged-{stamp}")
    try:
        for ending in ("-wal", "-shm", ""):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    except OSError as error:
        raise StorageError(
            f"{file}: is damaged and cannot be set aside: {error.strerror or error}"
        ) from error
    return aside


def _sound(file: Path) -> bool:
    try:
        connection = sqlite3.connect(file)
        try:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGED:  # such as a folder that may not be written
            raise StorageError(f"{file}: cannot be opened: {error}") from error
        return False
    return said is not None and said[0] == "ok"


def _reserve(file: Path, size: int) -> bool:
    """Allocate the reserve, or find it; false where the disk has no room for it."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, size)
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        return False
    return True
