"""What a server has acknowledged is in its SQLite database after a power cut at any moment. Real writes, recorded; the disk is simulated."""

import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

import pytest

from edge.rig.power_cut import Event, Said, Synced, leave, trace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace"),
]
MESSAGES: Final = 6
PROGRAM: Final = f"""
import os, sys
from server.storage.database import open_database
from server.storage.stations import Stations
from tests.server.storage.test_stations import LATER, part
stations = Stations(open_database("sqlite:///" + sys.argv[1] + "/results.db"))
for number in range(1, {MESSAGES} + 1):
    stations.register("infeed", boot="boot", version="1", bundle="", at=LATER)
    stations.keep("infeed", [part(number)], at=LATER)
    os.write(1, b"kept %d\\n" % number)
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    folder = tmp_path_factory.mktemp("traced") / "server"
    found = trace([sys.executable, "-c", PROGRAM, str(folder)], folder)
    assert sum(isinstance(one, Said) for one in found) == MESSAGES
    return found


def lost(events: Sequence[Event], folder: Path, *, torn: bool) -> list[str]:
    """Parts that were acknowledged and are not there, for a cut at each moment after the first acknowledgement."""
    first = next(number for number, one in enumerate(events) if isinstance(one, Said))
    found = []
    for moment in range(first + 1, len(events) + 1):
        left = folder / str(moment)
        left.mkdir()
        leave(events[:moment], left, Random(moment) if torn else None)  # noqa: S311  (no secret)
        said = [one.text.split() for one in events[:moment] if isinstance(one, Said)]
        there = _parts(left)
        found += [f"moment {moment}: part {number}" for _, number in said if int(number) not in there]
    return found


def _parts(folder: Path) -> set[int]:
    try:
        with closing(sqlite3.connect(folder / "results.db")) as connection:
            return {part for (part,) in connection.execute("SELECT part FROM station_results")}
    except sqlite3.DatabaseError:
        return set()


@pytest.mark.parametrize("torn", [False, True], ids=["unsynced writes are lost", "unsynced writes are torn"])
def test_whenever_the_power_fails_every_acknowledged_part_is_there(
    tmp_path: Path, events: list[Event], torn: bool
) -> None:
    assert lost(events, tmp_path, torn=torn) == []


def test_a_server_that_did_not_wait_for_the_disk_is_found_out(tmp_path: Path, events: list[Event]) -> None:
    """So that the test above can fail: as it would be with `synchronous=NORMAL` alone."""
    hasty = [one for one in events if not (isinstance(one, Synced) and one.path.name.endswith("-wal"))]
    assert lost(hasty, tmp_path, torn=False) != []
