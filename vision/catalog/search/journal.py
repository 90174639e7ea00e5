"""What was promised since the last checkpoint: a file that is only ever appended to.

    8 bytes     what kind of file this is
    frames      magic, length, CRC-32 of the payload, CRC-32 of these three; then the payload

A frame is one commit: it is written and synced before the next begins, so whatever a kill or a power cut tears is the last one, which
nobody was promised. A damaged frame with a whole one behind it is another matter, and an error. Payloads are bytes here, and no more.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vision.errors import SearchIndexError, StorageError
from vision.files import write_bytes

KIND: Final = b"LOUPEJ1\n"
MAX_PAYLOAD: Final = 64 * 1024 * 1024
_MAGIC: Final = b"LFRM"
_FIELDS: Final = struct.Struct("<4sII")
_CHECK: Final = struct.Struct("<I")
_HEAD: Final = _FIELDS.size + _CHECK.size


@dataclass(frozen=True, slots=True)
class Frame:
    """A commit, and where it begins in its file."""

    at: int
    payload: bytes


def create(path: Path) -> None:
    """An empty journal, on the disk when this returns.

    Raises:
        StorageError: the disk refused.
    """
    write_bytes(path, KIND)


def read(path: Path, *, last: bool) -> tuple[list[Frame], int]:
    """The frames of a journal, and where they end.

    Args:
        last: whether it was being written to; only then a torn frame at its end is no damage, and left out.

    Raises:
        SearchIndexError: it is no journal, or damaged; the message says where.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SearchIndexError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.startswith(KIND):
        raise SearchIndexError(f"{path}: offset 0: expected {KIND!r}, found {data[: len(KIND)]!r}")
    frames, at = [], len(KIND)
    while (payload := _payload(data, at)) is not None:
        frames.append(Frame(at, payload))
        at += _HEAD + len(payload)
    if at < len(data) and not (last and _nothing_whole(data, at)):
        raise SearchIndexError(f"{path}: offset {at}: expected a whole frame, found a damaged one")
    return frames, at


def _payload(data: bytes, at: int) -> bytes | None:
    """The payload of the frame that begins here; nothing where there is no whole one."""
    if at + _HEAD > len(data):
        return None
    magic, length, check = _FIELDS.unpack_from(data, at)
    (own,) = _CHECK.unpack_from(data, at + _FIELDS.size)
    if magic != _MAGIC or own != zlib.crc32(data[at : at + _FIELDS.size]):
        return None
    payload = data[at + _HEAD : at + _HEAD + length]
    return payload if len(payload) == length and zlib.crc32(payload) == check else None


def _nothing_whole(data: bytes, at: int) -> bool:
    """Whether no whole frame begins behind a broken one, so that it was the last."""
    return all(_payload(data, found) is None for found in _places(data, at + 1))


def _places(data: bytes, at: int) -> Iterator[int]:
    while (at := data.find(_MAGIC, at)) >= 0:
        yield at
        at += 1


class Journal:
    """Appends to a journal. One thread at a time.

    Args:
        end: where its frames end; what is behind is cut off.

    Raises:
        StorageError: the disk refused.
    """

    def __init__(self, path: Path, end: int = len(KIND)) -> None:
        self._path, self._end, self._sound = path, end, True
        try:
            self._descriptor = os.open(path, os.O_WRONLY)
            os.ftruncate(self._descriptor, end)
            os.fsync(self._descriptor)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from error

    def append(self, payload: bytes) -> None:
        """Write a frame; it is on the disk when this returns.

        Raises:
            StorageError: the disk refused. It holds what it held before; where that is not sure, nothing more is taken.
        """
        self._check()
        fields = _FIELDS.pack(_MAGIC, len(payload), zlib.crc32(payload))
        frame = fields + _CHECK.pack(zlib.crc32(fields)) + payload
        self._sound = False
        try:
            self._write(frame)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._end += len(frame)
        self._sound = True

    def _write(self, frame: bytes) -> None:
        written = 0
        try:
            while written < len(frame):
                written += os.pwrite(self._descriptor, frame[written:], self._end + written)
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            self._sound = True
            raise
        os.fsync(self._descriptor)  # what a failed one leaves on the disk, nobody knows

    def followed_by(self, path: Path) -> "Journal":
        """The next journal, begun empty; this one ends here.

        Raises:
            StorageError: the disk refused, or an earlier write failed.
        """
        self._check()
        create(path)
        following = Journal(path)
        self.close()
        return following

    def close(self) -> None:
        """Nothing more can be appended; doing it again changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sound = -1, False

    def _check(self) -> None:
        if not self._sound:
            raise StorageError(f"{self._path}: closed, or an earlier write failed; open the index again")
