"""What lies in an index's folder, and whether it is one.

    index.json              whose vectors
    lock                    held by the process that has it open
    checkpoint-000007/      the items as they were when journal 7 was begun
    journal-000007          what was promised since

A checkpoint replaces all journals with smaller numbers, and older checkpoints. Where a kill came before they were removed, they are removed
at the next start; where it came before the checkpoint was complete, the journals are there to be read.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vision.catalog.search import journal
from vision.catalog.search.base import Identity, read_value
from vision.errors import SearchIndexError, StorageError
from vision.files import held, write_bytes

IDENTITY: Final = "index.json"
LOCK: Final = "lock"
_OURS: Final = re.compile(r"(checkpoint|journal)-(\d{6,})$")
_UNFINISHED: Final = re.compile(r"\.(checkpoint-\d{6,}|journal-\d{6,}|index\.json)-\w{8}(-previous)?$")


def checkpoint_path(folder: Path, number: int) -> Path:
    return folder / f"checkpoint-{number:06}"


def journal_path(folder: Path, number: int) -> Path:
    return folder / f"journal-{number:06}"


def refuse_other(folder: Path) -> None:
    """Do nothing if the folder is absent, empty, or an index's of whatever model, damaged or not.

    Raises:
        SearchIndexError: it holds something else.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        known = path.name in {IDENTITY, LOCK} or _OURS.match(path.name) or _UNFINISHED.match(path.name)
        if not known:
            raise SearchIndexError(
                f"{folder}: expected an index or an empty folder, found '{path.name}' in it"
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, against other processes.

    Raises:
        StorageError: another one has it open, or the disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror}") from error
    with held(folder / LOCK):
        yield


def claim(folder: Path, identity: Identity) -> None:
    """Begin an index in an empty folder, or see that the one that is there is this one. The lock must be held.

    Raises:
        SearchIndexError: it is of another model or dimension, or what says so is damaged or missing.
        StorageError: the disk refused.
    """
    path = folder / IDENTITY
    if not path.exists():
        first = journal_path(folder, 0)
        others = [one.name for one in folder.iterdir() if _OURS.match(one.name) and one != first]
        if others or (first.exists() and first.stat().st_size > len(journal.KIND)):
            raise SearchIndexError(f"{path}: expected what says whose index this is, found no file")
        begin(folder, identity, 0)
        return
    found = read_value(path, Identity)
    for name in ("model", "dimension"):
        expected, there = getattr(identity, name), getattr(found, name)
        if there != expected:
            raise SearchIndexError(f"{path}: {name}: expected {expected}, found {there}")


def begin(folder: Path, identity: Identity, number: int) -> None:
    """An empty journal, and then what says that this is an index."""
    journal.create(journal_path(folder, number))
    write_bytes(folder / IDENTITY, identity.model_dump_json(indent=2).encode())


def numbers(folder: Path) -> tuple[int, range]:
    """The newest checkpoint's number, 0 where there is none, and those of the journals since.

    Raises:
        SearchIndexError: a journal is missing.
    """
    found = {kind: sorted(_numbers(folder, kind)) for kind in ("checkpoint", "journal")}
    newest = max(found["checkpoint"], default=0)
    journals = [number for number in found["journal"] if number >= newest]
    expected = range(newest, max(journals, default=newest) + 1)
    missing = set(expected) - set(journals)
    if missing:
        raise SearchIndexError(f"{journal_path(folder, min(missing))}: expected a journal, found none")
    return newest, expected


def _numbers(folder: Path, kind: str) -> Iterator[int]:
    for path in folder.iterdir():
        match = _OURS.match(path.name)
        if match and match[1] == kind:
            yield int(match[2])


def tidy(folder: Path, newest: int) -> None:
    """Remove what the newest checkpoint replaces, and what kills left unfinished."""
    for path in folder.iterdir():
        match = _OURS.match(path.name)
        if (match and int(match[2]) < newest) or _UNFINISHED.match(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
