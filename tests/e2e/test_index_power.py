"""An index after a power cut at any moment: what it acknowledged is there. Real writes, recorded; the disk that loses them is simulated."""

import shutil
import sys
from pathlib import Path
from random import Random

import pytest

from edge.rig.power_cut import Created, Event, Said, Synced, Written, leave, trace
from tests.e2e.test_index_kills import Promised, is_there
from tests.vision.catalog.search.items import GRAPHED, opened
from vision.catalog.search.journal import KIND

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace"),
]
CHANGES = "8"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty index."""
    folder = tmp_path_factory.mktemp("traced").resolve() / "index"
    opened(folder, GRAPHED).close()
    return folder


@pytest.fixture(scope="module")
def events(begun: Path) -> list[Event]:
    """The journal as it was there before, and what a program does to it."""
    path = begun / "journal-000000"
    before: list[Event] = [
        Created(file=path),
        Written(file=path, offset=0, data=KIND),
        Synced(path=path),
        Synced(path=begun),
    ]
    command = [sys.executable, "-m", "tests.e2e.index_victim", str(begun), "1", CHANGES]
    return [*before, *trace(command, begun)]


def faults(events: list[Event], begun: Path, folder: Path, chance: Random | None) -> list[int]:
    """The items that are not as was promised after a cut behind these events."""
    folder.mkdir()
    shutil.copy(begun / "index.json", folder)
    leave(events, folder, chance)
    promised = Promised()
    for event in events:
        if isinstance(event, Said):
            for line in event.text.splitlines():
                promised.hear(line)
    with opened(folder, GRAPHED) as index:
        promised.settle(index)
        wrong = [number for number, known in promised.made.items() if not is_there(index, number, known)]
        doubled = len(index) - sum(known is not None for known in promised.made.values())
    return wrong + [-1] * doubled


@pytest.mark.parametrize("torn", [False, True], ids=["unsynced writes are lost", "unsynced writes are torn"])
def test_whenever_the_power_fails_what_was_acknowledged_is_there(
    tmp_path: Path, begun: Path, events: list[Event], torn: bool
) -> None:
    for moment in range(4, len(events) + 1):
        chance = Random(moment) if torn else None  # noqa: S311  (no secret)
        assert faults(events[:moment], begun, tmp_path / str(moment), chance) == [], f"after {moment} events"


def test_a_disk_that_never_syncs_is_found_out(tmp_path: Path, begun: Path, events: list[Event]) -> None:
    """So that the test above can fail."""
    unsynced: list[Event] = [event for event in events[4:] if not isinstance(event, Synced)]
    assert faults(events[:4] + unsynced, begun, tmp_path / "left", None) != []
