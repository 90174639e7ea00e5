"""Where pictures lie: files below a folder of this machine, or below a URL that fsspec knows.

Takes relative paths and bytes, and knows nothing of what is in them. Drivers' errors pass through; `server.storage.blobs` makes them ours.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import fsspec
from fsspec import AbstractFileSystem

from server.masking import mask_text
from vision.errors import SettingsError, StorageError
from vision.files import write_bytes

# Under which names fsspec's drivers say when a file was written: S3, folders, Azure, Google, memory.
_TIMES: Final = ("LastModified", "mtime", "last_modified", "updated", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file, and when it was last written."""

    name: str
    bytes: int
    written_at: datetime


class Files(Protocol):
    """Where the bytes lie, by relative path. A missing file is a FileNotFoundError; other errors are the driver's own."""

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole or not at all; the same bytes once more count as written now."""

    def remove(self, path: str) -> None: ...

    def find(self) -> Iterator[Found]: ...

    def look(self, path: str) -> Found: ...


class _Folder:
    """Files on a disk of this machine."""

    def __init__(self, root: Path, *, sync: bool) -> None:
        self._root, self._sync = root, sync

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        try:
            if target.read_bytes() == data:  # else it is damaged, and mended here
                os.utime(target)
                return
        except FileNotFoundError:
            pass
        write_bytes(target, data, sync=self._sync)

    def remove(self, path: str) -> None:
        (self._root / path).unlink()

    def find(self) -> Iterator[Found]:
        for path in self._root.glob("??/??/*"):
            try:
                yield _found(path)
            except FileNotFoundError:  # deleted since it was listed
                continue

    def look(self, path: str) -> Found:
        return _found(self._root / path)


def _found(path: Path) -> Found:
    status = path.stat()
    return Found(name=path.name, bytes=status.st_size, written_at=_time(status.st_mtime))


class _Remote:
    """Files wherever fsspec gets. Object stores take a file whole or not at all; what another store takes in part is noticed by `get`."""

    def __init__(self, system: AbstractFileSystem, root: str) -> None:
        self._system, self._root = system, root.rstrip("/")

    def read(self, path: str) -> bytes:
        data: bytes = self._system.cat_file(f"{self._root}/{path}")
        return data

    def write(self, path: str, data: bytes) -> None:
        target = f"{self._root}/{path}"
        try:
            self._system.pipe_file(target, data)
        except FileNotFoundError:  # a store that has real folders
            self._system.makedirs(target.rsplit("/", maxsplit=1)[0], exist_ok=True)
            self._system.pipe_file(target, data)

    def remove(self, path: str) -> None:
        self._system.rm_file(f"{self._root}/{path}")

    def find(self) -> Iterator[Found]:
        self._system.invalidate_cache()
        for path, info in self._system.find(self._root, detail=True).items():
            yield self._found(path, info)

    def look(self, path: str) -> Found:
        self._system.invalidate_cache()  # another replica may have put it since
        target = f"{self._root}/{path}"
        return self._found(target, self._system.info(target))

    def _found(self, path: str, info: Mapping[str, Any]) -> Found:
        times = (info[key] for key in _TIMES if key in info)
        written_at = _time(next(times, None) or self._system.modified(path))
        return Found(name=path.rsplit("/", maxsplit=1)[-1], bytes=int(info["size"]), written_at=written_at)


def _time(value: Any) -> datetime:
    """A time in UTC, from the forms in which drivers give it."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def open_files(url: str, *, sync: bool) -> Files:
    """A folder's path, or a URL such as `s3://BUCKET/FOLDER`.

    Args:
        sync: wait until this machine's disk has a file; without that a power cut may leave a torn one, which `Blobs.get` notices.

    Raises:
        SettingsError: no driver for such a URL is known or installed.
        StorageError: the folder cannot be made, or the store not reached.
    """
    name = mask_text(url)
    scheme, _, path = url.rpartition("://")
    if scheme in {"", "file", "local"}:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{name}: cannot be made: {error.strerror}") from error
        return _Folder(Path(path), sync=sync)
    try:
        system, root = fsspec.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise SettingsError(f"{name}: expected a folder or a URL that fsspec knows: {error}") from error
    except Exception as error:  # some drivers connect at once, and each raises what its library does
        raise StorageError(f"{name}: cannot be opened: {mask_text(str(error))}") from error
    return _Remote(system, root)
