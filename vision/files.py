"""Writing that either happens whole or not at all."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision.errors import StorageError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

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
        _sync(unfinished)
        unfinished.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished is not None:
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
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    if not path.exists():
        new.rename(path)
    else:
        previous = new.with_name(new.name + "-previous")
        path.rename(previous)
        new.rename(path)
        if previous.is_symlink():
            previous.unlink()
        else:
            shutil.rmtree(previous)
    _sync(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())
