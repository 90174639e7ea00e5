"""Appends to a station's recording, in one thread. A kill leaves at most one torn line at the end; what was not written becomes a gap."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edge.ports import Shot
from edge.shift.format import (
    FRAMES,
    PARTS,
    ClosedLine,
    EndedLine,
    FrameEntry,
    GapLine,
    JudgedLine,
    Line,
    Said,
    written,
)
from vision.errors import StorageError
from vision.image import Frame, Pixels

_SYNC_S: Final = (
    1.0  # a power cut costs so much; a steady trickle holds nobody else up, a flood now and then would
)


class ShiftWriter:
    """The two files of a recording, made in `folder`.

    Args:
        keep_free_bytes: of the disk, by pictures; a recording must not take the room of the ledger.

    Raises:
        StorageError: they are there already, or the disk refused.
    """

    def __init__(self, folder: Path, *, keep_free_bytes: int) -> None:
        self._folder, self._keep_free = folder, keep_free_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._frames = _Tail(folder / FRAMES)
            self._lines = _Tail(folder / PARTS)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written: {error.strerror}") from error
        self._next = 1
        self._synced_s = time.monotonic()

    def judged(
        self,
        n: int,
        shots: Sequence[Shot],
        *,
        recipe: int | None,
        bundle: str | None,
        said: Said | None,
        error: str,
        timings: Mapping[str, float],
    ) -> None:
        """A judged part with its pictures; those with numbers before it that never came are a gap.

        Raises:
            StorageError: the disk refused; nothing of it is in the recording.
        """
        self._check_room()
        self._write(
            lambda: JudgedLine(
                n=n,
                recipe=recipe,
                bundle=bundle,
                frames=tuple(map(self._frame, shots)),
                said=said,
                error=error,
                timings=timings,
            ),
            up_to=n,
        )
        self._next = n + 1

    def ended(self, line: EndedLine) -> None:
        """What became of a part.

        Raises:
            StorageError: the disk refused.
        """
        self._write(lambda: line, up_to=0)

    def close(self, judged: int) -> None:
        """Nothing more will come, after so many judged parts.

        Raises:
            StorageError: the disk refused.
        """
        try:
            self._write(lambda: ClosedLine(judged=judged), up_to=judged + 1)
            self._sync()
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be written: {error.strerror}") from error
        finally:
            self._frames.close()
            self._lines.close()

    def _write(self, make: Callable[[], Line], *, up_to: int) -> None:
        frames, lines = self._frames.length, self._lines.length
        try:
            if up_to > self._next:
                self._lines.append(written(GapLine(first=self._next, parts=up_to - self._next)))
            self._lines.append(written(make()))
            if time.monotonic() - self._synced_s > _SYNC_S:
                self._sync()
        except OSError as error:
            self._frames.cut(frames)
            self._lines.cut(lines)
            raise StorageError(f"{self._folder}: cannot be written: {error.strerror}") from error

    def _frame(self, shot: Shot) -> FrameEntry:
        pixels = shot.image if isinstance(shot.image, Frame) else None
        data = shot.image if isinstance(shot.image, bytes) else _as_bytes(shot.image.image_hwc)
        return FrameEntry(
            kind="encoded" if pixels is None else "pixels",
            at=self._frames.append(data),
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            name=shot.name,
            frame_id=shot.frame_id,
            device_ns=shot.device_ns,
            shape_hw=None if pixels is None else pixels.image_hwc.shape[:2],
            size_wh=None if pixels is None else pixels.size_wh,
            frame_name=None if pixels is None else pixels.name,
        )

    def _check_room(self) -> None:
        """For pictures. What is said of parts is small, and needed most where pictures are missing."""
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self._keep_free:
            raise StorageError(
                f"{self._folder}: expected {self._keep_free} bytes free on the disk, found {free}"
            )

    def _sync(self) -> None:
        self._frames.sync()  # before the lines that tell of them
        self._lines.sync()
        self._synced_s = time.monotonic()


def _as_bytes(pixels: Pixels) -> memoryview:
    """Not compressed: that would take a core from the model."""
    return np.ascontiguousarray(pixels).reshape(-1).data


class _Tail:
    """A new file that grows at its end."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.length = 0

    def append(self, data: bytes | memoryview) -> int:
        """Where the data begins. Raises OSError when the disk took a part of it, or nothing."""
        begin, rest = self.length, memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.length += len(data)
        return begin

    def cut(self, length: int) -> None:
        """Forget what came after so many bytes."""
        os.ftruncate(self._descriptor, length)
        self.length = length

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
