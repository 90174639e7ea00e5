"""Writing that either happens whole or not at all."""

import ctypes
import errno
import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vision.errors import StorageError

_AT_FDCWD: Final = -100  # of linux/fcntl.h
_RENAME_EXCHANGE: Final = 2  # of linux/fs.h


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """A temporary file beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    Args:
        sync: wait until the disk has it; without that a power cut may leave an empty or partial file.

    Raises:
        StorageError: the disk refused (full, read-only, no permission).
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(descriptor)
        unfinished = Path(name)
        yield unfinished
        unfinished.chmod(0o644)
        if sync:
            _sync(unfinished)
        unfinished.replace(path)
        if sync:
            _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what writers of `path` that were killed left beside it; nobody may be writing it meanwhile."""
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}-????????"):
        unfinished.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when the block ends well, and vanishes otherwise.

    A folder already at `path` is kept until the new one is complete on the disk; a file there is never replaced.

    Raises:
        StorageError: the disk refused (full, read-only, no permission), or a file is in the way.
    """
    unfinished: Path | None = None
    try:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "a file is in the way")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        yield unfinished
        unfinished.chmod(0o755)
        for file in sorted(unfinished.rglob("*")):
            _sync(file)
        _sync(unfinished)
        _swap(unfinished, path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished is not None and unfinished.is_symlink():  # what was at `path` before, exchanged
            unfinished.unlink()
        elif unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    """Put `new` where `path` is: in one step where the system can exchange two names, else in two."""
    if not path.exists():
        new.rename(path)
    elif not _exchange(new, path):
        previous = new.with_name(new.name + "-previous")
        path.rename(previous)
        try:
            new.rename(path)
        except OSError:
            previous.rename(path)
            raise
        _remove(previous)
    _sync(path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once, so that a reader or a kill finds the old or the new; false where that cannot be done."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    done: int = library.renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
    return done == 0


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file whole or not at all; `sync` as in `atomic_path`.

    Raises:
        StorageError: the disk refused.
    """
    with atomic_path(path, sync=sync) as unfinished:
        unfinished.write_bytes(data)


def write_new_secret(path: Path, secret: bytes) -> None:
    """Write a file that only its owner may read, and that is not there yet.

    Raises:
        StorageError: it exists, or the disk refused.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise StorageError(f"{path}: a key exists already and is not overwritten") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink()
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def append_line(path: Path, line: str) -> None:
    """Append one line to a log, made with its folder where it is not there yet; a torn last line stays a line of its own.

    Raises:
        StorageError: the disk refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                file.write(b"\n")
            file.write(f"{line}\n".encode())
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def held(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `path`, a lock file that is made where it is missing and stays, against others until the block ends.

    Args:
        wait: for others to let go of it.

    Raises:
        StorageError: another process holds it, or the disk refused.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            raise StorageError(f"{path.parent}: another process is at work here") from error
        yield
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())
