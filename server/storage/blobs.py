"""Pictures by the SHA-256 of their bytes: in a folder on this machine, or wherever fsspec gets by URL.

    ab/cd/abcd0123...    two levels of folders, so that none grows too large

Takes and gives bytes and knows nothing of what they show or who refers to them. Calls block; an event loop makes them in a thread.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.masking import mask_text
from server.storage.blob_files import Files, Found, open_files
from vision.errors import LoupeError, NotFoundError, StorageError

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class DamagedError(StorageError):
    """What lies there is not what was put; another try finds the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A picture in the store; `put_at` is when these bytes were last put."""

    sha256: str
    bytes: int
    put_at: datetime


class Blobs:
    """Pictures under their digests. `name` is where, without a password."""

    def __init__(self, files: Files, name: str) -> None:
        self._files, self.name = files, name

    def put(self, data: bytes) -> str:
        """Keep a picture, whole or not at all; the same bytes are kept once.

        Returns:
            Its SHA-256 in hex.

        Raises:
            StorageError: the store refused (full, read-only, not reached).
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with self._translated(sha256):
            self._files.write(place(sha256), data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """A picture, checked against its digest.

        Raises:
            NotFoundError: it is not here, or no longer.
            DamagedError: it is not what was put.
            StorageError: it cannot be read.
        """
        with self._translated(sha256):
            data = self._files.read(place(sha256))
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise DamagedError(
                f"{self.name}: picture {sha256}: expected bytes with this sha256, found {len(data)} with {found}"
            )
        return data

    def look(self, sha256: str) -> Entry:
        """What is known of a picture without reading it.

        Raises:
            NotFoundError: it is not here, or no longer.
            StorageError: the store cannot be read.
        """
        with self._translated(sha256):
            return _entry(self._files.look(place(sha256)))

    def delete(self, sha256: str, *, put_at: datetime | None = None) -> int:
        """Delete a picture; none there is as good.

        Args:
            put_at: delete it only where it was not put again since then.

        Returns:
            How many bytes that freed.

        Raises:
            StorageError: the store refused.
        """
        try:
            entry = self.look(sha256)
            if put_at is not None and entry.put_at > put_at:
                return 0
            with self._translated(sha256):
                self._files.remove(place(sha256))
        except NotFoundError:
            return 0
        return entry.bytes

    def entries(self) -> Iterator[Entry]:
        """Every picture, in no particular order; what is put or deleted meanwhile may be among them or not.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._translated():
            for found in self._files.find():
                if _SHA256.fullmatch(found.name):  # not what a killed process left half-written
                    yield _entry(found)

    def total_bytes(self) -> int:
        """Of all pictures. Looks at each of them.

        Raises:
            StorageError: the store cannot be read.
        """
        return sum(entry.bytes for entry in self.entries())

    @contextmanager
    def _translated(self, sha256: str | None = None) -> Iterator[None]:
        what = f"{self.name}: picture {sha256}" if sha256 else self.name
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"{what}: expected it here, found nothing") from error
        except LoupeError:
            raise
        except Exception as error:  # each of fsspec's drivers raises what its library does
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StorageError(f"{what}: {mask_text(said or type(error).__name__)}") from error


def _entry(found: Found) -> Entry:
    return Entry(sha256=found.name, bytes=found.bytes, put_at=found.written_at)


def place(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):  # else a name could lead out of the store
        raise NotFoundError(f"picture '{sha256[:80]}': expected 64 hex digits, found something else")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def open_blobs(url: str, *, sync: bool = False) -> Blobs:
    """Open a store of pictures: a folder's path, or a URL such as `s3://BUCKET/FOLDER`.

    Args:
        sync: what was put survives a power cut, as the row that names it may have to; else it is no safer than a result's row
            (decision 10).

    Raises:
        SettingsError: no driver for such a URL is known or installed.
        StorageError: the folder cannot be made, or the store not reached.
    """
    return Blobs(open_files(url, sync=sync), mask_text(url))
