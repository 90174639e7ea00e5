"""Reads a recorded shift: what was judged in its order, with its pictures checked against their digests.

A recording that was cut short ends with the last whole line; one that is damaged in the middle is refused. Lines are read as they are needed: a
shift holds more than memory does.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from pydantic import ValidationError

from edge.ledger import Outcome
from edge.ports import Shot
from edge.shift.format import (
    FRAMES,
    HEADER,
    PARTS,
    ClosedLine,
    EndedLine,
    FrameEntry,
    GapLine,
    Header,
    JudgedLine,
    Line,
    read,
)
from vision.errors import ImageError, InputError, NotFoundError
from vision.image import Frame
from vision.validation import first_fault


class Ending(NamedTuple):
    """What became of a part: its number and outcome in the ledger."""

    part: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One station's recording.

    Attributes:
        parts: how many judged parts it holds.
        gaps: which numbers are missing, as first and count.
        ended: what became of parts, by their number in the recording.
        torn: whether the last line is a torn one; it is left out.
        closed: whether the recording ended in good order.
    """

    folder: Path
    header: Header
    parts: int
    gaps: tuple[tuple[int, int], ...]
    ended: Mapping[int, Ending]
    torn: bool
    closed: bool

    @property
    def last(self) -> int:
        """The highest number of a part that is in it or known to be missing."""
        return self.parts + sum(count for _, count in self.gaps)

    def judged(self) -> Iterator[JudgedLine]:
        """What the models saw, in order."""
        for line, _ in _lines(self.folder / PARTS):
            if isinstance(line, JudgedLine):
                yield line


def read_shifts(path: Path) -> list[Shift]:
    """The stations of a recorded shift, by name.

    Args:
        path: the shift's folder, or one station's in it.

    Raises:
        NotFoundError: there is none.
        InputError: one is damaged, or of a newer Loupe.
    """
    folders = [path] if (path / HEADER).is_file() else sorted(one.parent for one in path.glob(f"*/{HEADER}"))
    if not folders:
        raise NotFoundError(f"{path}: expected a recorded shift, found none")
    return [_read(folder) for folder in folders]


def _read(folder: Path) -> Shift:
    header, torn = _header(folder / HEADER), False
    parts, gaps, ended, closed, expected = 0, [], {}, False, 1
    if (folder / PARTS).is_file():  # missing where a kill came before the first part
        for line, torn in _lines(folder / PARTS):  # noqa: B007  (the last one's `torn` is the file's)
            match line:
                case JudgedLine():
                    if line.n != expected:
                        raise InputError(
                            f"{folder / PARTS}: expected part {expected} of the recording, found {line.n}"
                        )
                    parts, expected = parts + 1, line.n + 1
                case GapLine():
                    gaps.append((line.first, line.parts))
                    expected = line.first + line.parts
                case EndedLine():
                    ended[line.n] = Ending(line.part, line.outcome)
                case ClosedLine():
                    closed = True
                case None:
                    pass
    return Shift(
        folder=folder,
        header=header,
        parts=parts,
        gaps=tuple(gaps),
        ended=ended,
        torn=torn,
        closed=closed,
    )


def _header(file: Path) -> Header:
    try:
        plain = json.loads(file.read_bytes())
        version = plain.get("format") if isinstance(plain, dict) else None
        if version != 1:
            raise InputError(f"{file}: format: expected 1, found {version!r}")
        return Header.model_validate(plain)
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: expected a recording's header: {error}") from error


def _lines(file: Path) -> Iterator[tuple[Line | None, bool]]:
    """Whole lines, and for the last whether it is torn, which comes as none.

    Raises:
        InputError: a line is wrong, and others follow.
    """
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            try:
                yield _whole(raw), False
            except InputError as error:
                if any(_is_line(later) for later in lines):
                    raise InputError(f"{file}: line {number}: {error}") from error
                yield None, True
                return


def _whole(raw: bytes) -> Line:
    if not raw.endswith(b"\n"):
        raise InputError("expected a whole line, found a torn one")
    return read(raw)


def _is_line(raw: bytes) -> bool:
    try:
        _whole(raw)
    except InputError:
        return False
    return True


class Frames:
    """A recording's pictures, open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FRAMES
        self._file: BinaryIO

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def shots(self, line: JudgedLine) -> tuple[Shot, ...]:
        """A part's pictures as its model saw them.

        Raises:
            ImageError: one is not what was recorded.
        """
        return tuple(self._shot(line.n, entry) for entry in line.frames)

    def _shot(self, n: int, entry: FrameEntry) -> Shot:
        data = os.pread(self._file.fileno(), entry.bytes, entry.at)
        found = hashlib.sha256(data).hexdigest()
        if found != entry.sha256:
            raise ImageError(
                f"{self._path}: {entry.name} (part {n} of the recording): expected sha256 {entry.sha256}, found {found}"
            )
        image: bytes | Frame = data
        if entry.shape_hw is not None and entry.size_wh is not None:
            pixels = np.frombuffer(data, np.uint8).reshape(*entry.shape_hw, 3)
            image = Frame(image_hwc=pixels, size_wh=entry.size_wh, name=entry.frame_name or entry.name)
        return Shot(image=image, frame_id=entry.frame_id, device_ns=entry.device_ns, name=entry.name)
