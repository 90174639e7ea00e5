"""What a disk may hold after the power failed: a program's writes, recorded by strace, and the files that a cut at any moment may leave.

    events = trace([sys.executable, "-m", "program"], folder)
    leave(events[:moment], folder, chance)

The disk is taken at its worst: what was written and not synced is lost, kept, or kept in part, sector by sector, each independently of all
else; a file whose name was not synced with its folder is gone. It knows nothing of what the files hold. Needs strace (Debian: strace).
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from vision.errors import DeviceError

SECTOR: Final = 512  # bytes that a disk writes whole or not at all
_CALLS: Final = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename"
_LINE: Final = re.compile(r"(?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)(?P<path><[^>]*>)?")
_DESCRIPTOR: Final = re.compile(r"(?P<number>\d+)<(?P<path>[^>]*)>")
_STRING: Final = re.compile(r'"(?P<escaped>(?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    file: Path
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    file: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A file, or a folder with the names in it."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the program wrote on its stdout."""

    text: str


Event = Created | Written | Truncated | Removed | Synced | Said


def trace(command: Sequence[str], folder: Path) -> list[Event]:
    """Run a program of one thread to its end, and give what it did to files below `folder`, in order.

    Raises:
        DeviceError: strace is not installed, or the program failed.
    """
    with tempfile.NamedTemporaryFile("r") as log:
        tracing = ["strace", "-xx", "-y", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", log.name, *command]
        try:
            done = subprocess.run(tracing, capture_output=True, text=True, check=False)  # noqa: S603  (our own program)
        except FileNotFoundError as error:
            raise DeviceError("strace: expected the program (Debian: strace), found none") from error
        if done.returncode != 0:
            raise DeviceError(f"{' '.join(command)}: ended with {done.returncode}: {done.stderr[-500:]}")
        return list(_events(log, folder.resolve()))


def _events(lines: Iterator[str], folder: Path) -> Iterator[Event]:
    positions = dict[Path, int]()
    for line in lines:
        match = _LINE.match(line)
        if match is None or match["result"].startswith("-"):
            continue
        event = _event(match["call"], match["arguments"], positions)
        if isinstance(event, Said) or (event is not None and _path_of(event).is_relative_to(folder)):
            yield event


def _event(call: str, arguments: str, positions: dict[Path, int]) -> Event | None:
    strings = [_unescaped(one["escaped"]) for one in _STRING.finditer(arguments)]
    if call == "openat":
        return Created(file=Path(strings[0].decode())) if "O_CREAT" in arguments else None
    if call == "unlink":
        return Removed(file=Path(strings[0].decode()))
    if call == "rename":
        raise DeviceError(f"{strings[0].decode()}: a traced program renames it, which is not simulated")
    descriptor = _DESCRIPTOR.match(arguments)
    if descriptor is None:
        return None
    path, last = Path(_plain(descriptor["path"])), arguments.rpartition(", ")[2]
    if call == "write" and descriptor["number"] == "1":
        return Said(text=strings[0].decode())
    if call == "write":
        position = positions.get(path, 0)
        positions[path] = position + len(strings[0])
        return Written(file=path, offset=position, data=strings[0])
    if call == "pwrite64":
        return Written(file=path, offset=int(last), data=strings[0])
    if call == "ftruncate":
        return Truncated(file=path, size=int(last))
    return Synced(path=path)


def _plain(path: str) -> str:
    """Strace writes a descriptor's path in hexadecimal digits, or as it is."""
    return _unescaped(path).decode() if path.startswith("\\x") else path


def _unescaped(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def _path_of(event: Created | Written | Truncated | Removed | Synced) -> Path:
    return event.path if isinstance(event, Synced) else event.file


@dataclass(slots=True)
class _File:
    """What is certain of a file, and what was done to it since.

    Attributes:
        named: its folder was synced with it in there.
        removed: its folder was not yet synced without it.
    """

    named: bool = False
    removed: bool = False
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Written | Truncated] = field(default_factory=list)


def leave(events: Sequence[Event], folder: Path, chance: Random | None = None) -> None:
    """Write what the disk may hold after these events into an empty folder.

    Args:
        chance: decides which sectors of unsynced writes and which unsynced removals came through; none: not one did.
    """
    for path, file in _files(events).items():
        if not file.named or (file.removed and chance is not None and chance.random() < 0.5):
            continue
        for change in file.pending:
            if chance is not None:
                _apply(file.durable, change, chance)
        (folder / path.name).write_bytes(file.durable)


def _files(events: Sequence[Event]) -> dict[Path, _File]:
    files = dict[Path, _File]()
    for event in events:
        match event:
            case Created(file=path):
                if path not in files or files[path].removed:
                    files[path] = _File()
            case Written(file=path) | Truncated(file=path):
                files.setdefault(path, _File()).pending.append(event)
            case Removed(file=path):
                files[path].removed = True
            case Synced(path=path):
                _sync(files, path)
            case Said():
                pass
    return files


def _sync(files: dict[Path, _File], path: Path) -> None:
    for name, file in [one for one in files.items() if one[0].parent == path]:
        file.named = True
        if file.removed:
            del files[name]
    if path in files:
        file = files[path]
        for change in file.pending:
            _apply(file.durable, change)
        file.pending.clear()


def _apply(content: bytearray, change: Written | Truncated, chance: Random | None = None) -> None:
    if isinstance(change, Truncated):
        if chance is None or chance.random() < 0.5:
            del content[change.size :]
            content.extend(bytes(change.size - len(content)))
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, start - start % SECTOR + SECTOR)
        if chance is None or chance.random() < 0.5:
            content.extend(bytes(max(0, stop - len(content))))
            content[start:stop] = change.data[start - change.offset : stop - change.offset]
        start = stop
