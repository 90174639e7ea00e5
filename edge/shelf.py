"""A folder of pictures under a byte budget, in which the least valuable makes room.

Pictures of a part come and go together. What goes first, the oldest first within each, as at the server (`server.storage.retention`):

    1. of accepted parts: the audit's sample, of which there will be more
    2. of timeouts and faults: they tell what was wrong with the box, and its ledger tells as well
    3. of reviews and rejects: what a person is to look at, and what a better model is trained on

A file's name says all that is known of it, so the folder is its own index. Written whole or not at all. Used by one thread.
"""

import os
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Final

from edge.ledger import Outcome
from edge.shots import suffix
from vision.errors import StorageError
from vision.files import write_bytes

_NAME: Final = re.compile(
    r"(?P<part>\d{10,})-(?P<outcome>[a-z]+)-(?P<reason>[a-z_]+)-(?P<boot>[0-9A-Za-z]+)-(?P<camera>\d+)of(?P<cameras>\d+)\.[a-z]+"
)
_UNUSUAL: Final = re.compile(r"[^a-z_]")


class Value(IntEnum):
    """The lower goes first."""

    AUDIT = 1
    UNJUDGED = 2
    DOUBTED = 3


_VALUES: Final = {
    Outcome.ACCEPT: Value.AUDIT,
    Outcome.TIMEOUT: Value.UNJUDGED,
    Outcome.FAULT: Value.UNJUDGED,
    Outcome.REVIEW: Value.DOUBTED,
    Outcome.REJECT: Value.DOUBTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Whose pictures these are: a part of one run of the program, and what became of it."""

    part: int
    outcome: Outcome
    reason: str
    boot: str

    def file_name(self, camera: int, cameras: int, ending: str) -> str:
        """The name of the picture by the `camera`-th, from 1, of so many."""
        reason = _UNUSUAL.sub("_", self.reason)
        return f"{self.part:010d}-{self.outcome}-{reason}-{self.boot}-{camera}of{cameras}{ending}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A part's pictures: their names in the order of the cameras (fewer than `cameras` where a kill came between), and bytes of them all."""

    label: Label
    names: tuple[str, ...]
    cameras: int
    bytes: int
    at: datetime


def label_of(name: str) -> tuple[Label, int] | None:
    """Whose picture a file's name says it is, and of how many; none where it is no name of ours."""
    found = _NAME.fullmatch(name)
    if found is None or found["outcome"] not in list(Outcome):
        return None
    label = Label(
        part=int(found["part"]), outcome=Outcome(found["outcome"]), reason=found["reason"], boot=found["boot"]
    )
    return label, int(found["cameras"])


def listing(folder: Path) -> list[Kept]:
    """What is kept in a folder, the oldest first; other files there are not looked at.

    Raises:
        StorageError: it cannot be read.
    """
    parts: dict[Label, list[tuple[str, int, float, int]]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                named = label_of(entry.name)
                if named is not None:
                    seen = entry.stat()
                    parts.setdefault(named[0], []).append((entry.name, seen.st_size, seen.st_mtime, named[1]))
    except OSError as error:
        raise StorageError(f"{folder}: cannot be read: {error.strerror}") from error
    kept = [_kept(label, files) for label, files in parts.items()]
    return sorted(kept, key=lambda one: (one.at, one.label.part))


def _kept(label: Label, files: list[tuple[str, int, float, int]]) -> Kept:
    return Kept(
        label=label,
        names=tuple(sorted(name for name, *_ in files)),
        cameras=files[0][3],
        bytes=sum(size for _, size, _, _ in files),
        at=datetime.fromtimestamp(max(at for _, _, at, _ in files), UTC),
    )


class Shelf:
    """The folder, made where it is missing.

    Args:
        budget_bytes: of all pictures in it.
        keep_free_bytes: of the disk, which others need; a ledger on it is to keep its reserve.

    Raises:
        StorageError: the folder cannot be made or read.
    """

    def __init__(self, folder: Path, *, budget_bytes: int, keep_free_bytes: int) -> None:
        self._folder, self._budget, self._keep_free = folder, budget_bytes, keep_free_bytes
        self._rows: dict[Value, deque[Kept]] = {value: deque() for value in Value}
        self._bytes = dict.fromkeys(Value, 0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for unfinished in folder.glob(".*-*of*"):  # a killed writer's
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written: {error.strerror}") from error
        for kept in listing(folder):
            self._add(kept)

    def put(self, label: Label, pictures: Sequence[bytes]) -> None:
        """Keep a part's pictures, one a camera, in the place of less valuable or older ones where need be.

        Raises:
            StorageError: there is no room for them, or the disk refused; none of them is kept.
        """
        size, value = sum(map(len, pictures)), _VALUES[label.outcome]
        self._make_room(size, value)
        names = tuple(
            label.file_name(number, len(pictures), suffix(data))
            for number, data in enumerate(pictures, start=1)
        )
        try:
            for name, data in zip(names, pictures, strict=True):
                write_bytes(self._folder / name, data)
        except StorageError:
            self._remove(names)
            raise
        self._add(Kept(label=label, names=names, cameras=len(names), bytes=size, at=datetime.now(UTC)))

    def _add(self, kept: Kept) -> None:
        value = _VALUES[kept.label.outcome]
        self._rows[value].append(kept)
        self._bytes[value] += kept.bytes

    def _make_room(self, size: int, value: Value) -> None:
        """Raises StorageError, and removes nothing, where what may go does not suffice."""
        room = self._room()
        if size > room + sum(self._bytes[rank] for rank in Value if rank <= value):
            raise StorageError(
                f"{self._folder}: expected room for {size} bytes, found {max(0, room)} free of a budget of {self._budget} bytes"
                f" and a disk that is to keep {self._keep_free} free, and too little of less value"
            )
        for rank in Value:
            while size > room and self._rows[rank]:
                oldest = self._rows[rank][0]
                self._remove(oldest.names)
                self._rows[rank].popleft()
                self._bytes[rank] -= oldest.bytes
                room += oldest.bytes

    def _room(self) -> int:
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be read: {error.strerror}") from error
        return min(self._budget - sum(self._bytes.values()), disk.f_bavail * disk.f_frsize - self._keep_free)

    def _remove(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be written: {error.strerror}") from error
