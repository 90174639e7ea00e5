"""The ledger after a power cut at any moment: what it promised is there. Real writes, recorded; the disk that loses them is simulated."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from edge.rig.ledger_trial import faults, traced
from edge.rig.power_cut import Event, Synced

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace"),
]
PARTS = 8


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return traced(tmp_path_factory.mktemp("traced") / "station", PARTS)


def every_cut(events: Sequence[Event], folder: Path, *, torn: bool) -> list[str]:
    found = []
    for moment in range(len(events) + 1):
        left = folder / str(moment)
        left.mkdir()
        chance = Random(moment) if torn else None  # noqa: S311  (no secret)
        found += faults(events[:moment], left, chance)
    return found


@pytest.mark.parametrize("torn", [False, True], ids=["unsynced writes are lost", "unsynced writes are torn"])
def test_whenever_the_power_fails_every_promise_is_kept(
    tmp_path: Path, events: list[Event], torn: bool
) -> None:
    assert every_cut(events, tmp_path, torn=torn) == []


def test_a_disk_that_never_syncs_is_found_out(tmp_path: Path, events: list[Event]) -> None:
    """So that the test above can fail."""
    folders_alone = [one for one in events if not (isinstance(one, Synced) and one.path.suffix)]
    assert every_cut(folders_alone, tmp_path, torn=False) != []
