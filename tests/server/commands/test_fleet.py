"""`loupe fleet list` shows what the database knows of every station."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from server.commands.fleet import list_stations
from server.storage.database import Database, open_database
from server.storage.stations import Stations
from server.storage.tables import PartOutcome
from tests.server.commands.answers import answer_of
from tests.server.storage.rows import NOON
from tests.server.storage.test_stations import LATER, part
from vision.errors import StorageError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    yield opened
    opened.close()


def test_every_station_is_shown_with_what_it_said_last(database: Database) -> None:
    stations = Stations(database)
    stations.register("infeed", boot="b00t", version="0.1.0", bundle="", at=NOON)
    stations.keep("infeed", [part(1), part(2, outcome=PartOutcome.TIMEOUT)], at=NOON)
    stations.beat(
        "infeed", boot="b00t", bundle="abc", since_boot={"accept": 9}, waiting=4, discarded=3, at=LATER
    )
    stations.keep("outfeed", [part(1, station="outfeed")], at=NOON)

    infeed, outfeed = answer_of(list_stations, "--database", database.name)["stations"]

    assert infeed == {
        "station": "infeed",
        "version": "0.1.0",
        "boot": "b00t",
        "bundle": "abc",
        "registered_at": "2026-11-22T12:00:00+00:00",
        "last_seen": "2026-11-22T13:00:00+00:00",
        "outcomes": {"accept": 1, "reject": 0, "review": 0, "timeout": 1, "fault": 0},
        "since_boot": {"accept": 9},
        "waiting": 4,
        "discarded": 3,
    }
    assert (outfeed["station"], outfeed["registered_at"]) == ("outfeed", None)


def test_people_see_a_table(database: Database) -> None:
    Stations(database).keep("infeed", [part(1), part(2)], at=LATER)
    app = typer.Typer()
    app.command()(list_stations)
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["--database", database.name]).stdout
    for whole in ("infeed", "2026-11-22T13:00:00+00:00", "2 accept", "0 fault", "0 waiting"):
        assert whole in shown


def test_where_no_database_is_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="expected a database, found no file"):
        answer_of(list_stations, "--database", f"sqlite:///{tmp_path / 'none.db'}")
