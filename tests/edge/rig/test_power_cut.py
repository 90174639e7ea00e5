"""The simulated disk at its worst, on events written by hand."""

from pathlib import Path
from random import Random

import pytest

from edge.rig.power_cut import SECTOR, Created, Event, Removed, Synced, Truncated, Written, leave

FOLDER = Path("/ledger")
FILE = FOLDER / "file"
NEW: list[Event] = [Created(file=FILE), Synced(path=FOLDER)]


def written(data: bytes, offset: int = 0) -> Written:
    return Written(file=FILE, offset=offset, data=data)


def left(folder: Path, events: list[Event], chance: Random | None = None) -> bytes | None:
    leave(events, folder, chance)
    file = folder / FILE.name
    return file.read_bytes() if file.exists() else None


@pytest.mark.parametrize(
    ("events", "content"),
    [
        ([*NEW, written(b"lost")], b""),
        ([*NEW, written(b"kept"), Synced(path=FILE)], b"kept"),
        ([*NEW, written(b"kept"), Synced(path=FILE), written(b"lost", 4)], b"kept"),
        ([*NEW, written(b"kept"), Synced(path=FILE), Truncated(file=FILE, size=0)], b"kept"),
        ([*NEW, written(b"kept"), Truncated(file=FILE, size=2), Synced(path=FILE)], b"ke"),
        ([Created(file=FILE), written(b"kept"), Synced(path=FILE)], None),  # its name was never synced
        ([*NEW, Removed(file=FILE)], b""),  # its removal was not synced
        ([*NEW, Removed(file=FILE), Synced(path=FOLDER)], None),
        ([*NEW, Removed(file=FILE), Created(file=FILE)], None),  # the new one has no name yet
        ([*NEW, written(b"b", 3), Synced(path=FILE)], b"\0\0\0b"),
    ],
)
def test_what_was_not_synced_is_lost(tmp_path: Path, events: list[Event], content: bytes | None) -> None:
    assert left(tmp_path, events) == content


def test_an_unsynced_write_may_be_there_in_part_sector_by_sector(tmp_path: Path) -> None:
    before, after = bytes([1]) * 4 * SECTOR, bytes([2]) * 3 * SECTOR
    events: list[Event] = [*NEW, written(before), Synced(path=FILE), written(after, 100)]
    seen = set()
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        content = left(folder, events, Random(seed))  # noqa: S311  (no secret)
        assert content is not None
        assert len(content) == 4 * SECTOR
        pieces = [content[100:SECTOR], *[content[at * SECTOR : (at + 1) * SECTOR] for at in (1, 2)]]
        assert all(len(set(piece)) == 1 for piece in pieces), "each sector is the old one or the new one"
        seen.add(bytes(piece[0] for piece in pieces))
    assert len(seen) > 4
