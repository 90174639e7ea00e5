"""A real box and a real server: what the ledger holds reaches the database, each part once, whoever is killed meanwhile."""

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from edge.ledger import FILE, Begun, Ended, Ledger, Outcome, audit
from edge.line import read_line
from edge.outbox import Feed, Mark
from edge.reporting import Pace
from edge.uplink import Uplink
from server.auth import Role
from server.storage.database import open_database
from server.storage.tables import station_results
from tests.e2e.conftest import Workplace
from tests.e2e.lines import loupe, running
from tests.e2e.serving import eventually, serving, token
from tests.edge.deaf import deaf

pytestmark = pytest.mark.slow

QUEUED: Final = 10_000
SOME: Final = 3_000  # enough to be ended in the middle of
Parts = dict[tuple[str, int], tuple[str, str]]  # outcome and reason by boot and part


def line(
    folder: Path, server: str, *, parts: int | None = None, period_s: float = 0.05, uplink: str = ""
) -> Path:
    """A line of one station that sees its parts by a timer, and reports."""
    path = folder / "line.toml"
    many = "" if parts is None else f", parts = {parts}"
    path.write_text(
        f"""
        [uplink]
        server = "{server}"
        away_alarm_s = 0.5
        {uplink}
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = 1.0
        late_s = 0.5
        trigger = {{ kind = "timer", period_s = {period_s}{many} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ kind = "journal", path = "gate.jsonl" }}
        """
    )
    return path


@pytest.fixture
def server_folder(workplace: Workplace) -> Path:
    return workplace()


def queue(folder: Path, parts: int = QUEUED) -> None:
    """Parts of an earlier run that nobody has reported."""
    outcomes = list(Outcome)
    with closing(Ledger(folder / "loupe-data" / "infeed", boot="earlier", reserve_bytes=2**20)) as ledger:
        for first in range(1, parts + 1, 500):
            ledger.commit(
                [
                    one
                    for number in range(first, min(first + 500, parts + 1))
                    for one in (
                        Begun(part=number, at=datetime.now(UTC), counter=number),
                        Ended(
                            part=number,
                            outcome=outcomes[number % 5],
                            reason=f"r{number % 7}",
                            timings={"driven": 1.0},
                        ),
                    )
                ]
            )


def in_ledger(folder: Path) -> Parts:
    with closing(sqlite3.connect(folder / "loupe-data" / "infeed" / FILE)) as connection:
        rows = connection.execute("SELECT boot, part, outcome, reason FROM part WHERE outcome IS NOT NULL")
        return {(boot, number): (outcome, reason) for boot, number, outcome, reason in rows}


def at_server(folder: Path) -> Parts:
    """The table's key allows no part twice; so what could be wrong is missing or other content."""
    database = open_database(f"sqlite:///{folder / 'loupe-data' / 'results.db'}")
    columns = station_results.c
    query = select(columns.boot, columns.part, columns.outcome, columns.reason).where(
        columns.station == "infeed"
    )
    try:
        with database.reading() as connection:
            return {
                (row.boot, row.part): (row.outcome.value, row.reason) for row in connection.execute(query)
            }
    finally:
        database.close()


def reported(folder: Path) -> int:
    """How many parts the server has; cheap, to be asked again and again."""
    file = folder / "loupe-data" / "results.db"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'station_results'").fetchone()
        return int(connection.execute("SELECT count(*) FROM station_results").fetchone()[0]) if known else 0


def counted(folder: Path) -> dict[str, Any]:
    """What `loupe fleet list` shows of the station; empty where it is not known yet."""
    database = f"sqlite:///{folder / 'loupe-data' / 'results.db'}"
    listed = json.loads(loupe(folder, "fleet", "list", "--json", "--database", database).stdout)["stations"]
    return dict(listed[0]) if listed else {}


def free_address() -> str:
    """One that a server will have."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def all_there(server_folder: Path, box: Path) -> None:
    """After the end of both: every part of the ledger is at the server, once, and neither counts anything else."""
    kept, known = in_ledger(box), at_server(server_folder)
    assert known == kept
    found = audit(box / "loupe-data" / "infeed")
    assert (found.balanced, found.triggers) == (True, len(kept))
    outcomes = counted(server_folder)["outcomes"]
    assert outcomes == {one.value: found.outcomes[one] for one in Outcome}, "none was counted twice"


def test_what_waited_while_the_server_was_away_arrives_when_it_is_back(
    box: Path, server_folder: Path
) -> None:
    address = free_address()
    line(box, address)
    queue(box)
    with running(box) as run:
        eventually(lambda: bool(run.alarms("has been away")))
        with serving(server_folder, listen=address):
            eventually(lambda: reported(server_folder) > QUEUED)
            stations = run.stop()
    assert stations["infeed"]["outcomes"]["timeout"] == 0
    all_there(server_folder, box)
    assert len(run.alarms("has been away")) == 1
    assert len(run.alarms("is back after")) == 1


def test_a_box_that_is_killed_while_it_reports_loses_and_doubles_nothing(
    box: Path, server_folder: Path
) -> None:
    queue(box, SOME)
    reached = [0]
    with serving(server_folder) as server:
        line(box, server.address)
        while len(reached) < 4:
            with running(box) as run:
                eventually(lambda: reported(server_folder) > reached[-1])
                time.sleep(0.1)
                run.kill()
            reached.append(reported(server_folder))
        assert reached[2] < SOME, "it was killed in the middle"
        with running(box) as run:
            eventually(lambda: reported(server_folder) > SOME)
            run.stop()
    all_there(server_folder, box)


def test_a_server_that_is_killed_while_it_keeps_loses_and_doubles_nothing(
    box: Path, server_folder: Path
) -> None:
    address = free_address()
    line(box, address)
    queue(box, SOME)
    reached = [0]
    with running(box) as run:
        while reached[-1] < SOME and len(reached) < 4:
            with serving(server_folder, listen=address) as server:
                eventually(lambda: reported(server_folder) > reached[-1])
                server.kill()
            reached.append(reported(server_folder))
        assert reached[1] < SOME, "it was killed in the middle"
        with serving(server_folder, listen=address):
            eventually(lambda: reported(server_folder) > SOME)
            stations = run.stop()
    assert stations["infeed"]["outcomes"]["timeout"] == 0
    all_there(server_folder, box)


def test_a_server_that_hangs_costs_the_station_nothing(box: Path) -> None:
    with deaf() as address:
        line(box, str(address), parts=30)
        queue(box, SOME)
        with running(box) as run:
            stations = run.ended()
    outcomes = stations["infeed"]["outcomes"]
    assert (outcomes["timeout"], outcomes["fault"], sum(outcomes.values())) == (0, 0, 30)


def test_a_server_that_freezes_in_the_middle_costs_the_station_nothing_either(
    box: Path, server_folder: Path
) -> None:
    queue(box, SOME)
    with serving(server_folder) as server:
        line(box, server.address, parts=30)
        with running(box) as run:
            eventually(lambda: reported(server_folder) > 0)
            server.process.send_signal(signal.SIGSTOP)
            stations = run.ended()
            server.process.send_signal(signal.SIGCONT)
    outcomes = stations["infeed"]["outcomes"]
    assert (outcomes["timeout"], outcomes["fault"], sum(outcomes.values())) == (0, 0, 30)
    with serving(server_folder, listen=server.address):
        line(box, server.address)
        with running(box) as run:
            eventually(lambda: reported(server_folder) > SOME + 30)
            run.stop()
    all_there(server_folder, box)


def test_old_rows_go_once_they_are_reported_and_are_still_accounted_for(
    box: Path, server_folder: Path
) -> None:
    queue(box, 1000)
    with serving(server_folder) as server:
        line(box, server.address, uplink="keep_rows = 100")
        with running(box) as run:
            eventually(lambda: audit(box / "loupe-data" / "infeed").pruned >= 950)
            run.stop()
    found = audit(box / "loupe-data" / "infeed")
    assert (found.balanced, found.discarded) == (True, 0)
    assert found.triggers - found.pruned <= 170
    assert len(at_server(server_folder)) == found.triggers
    assert in_ledger(box).items() <= at_server(server_folder).items()


def test_a_station_reports_as_itself_or_not_at_all(box: Path, server_folder: Path) -> None:
    said = list[str]()
    with serving(server_folder, auth={"required": True}) as server:
        path = line(box, server.address, uplink='token = "{station}.token"')
        secret = box / "infeed.token"
        secret.write_text(token(server_folder, "outfeed", Role.STATION) + "\n")
        missed = check(box)
        assert "station of station 'infeed', found that of outfeed" in missed["error"]
        queue(box, 100)
        with reporting(path, said):
            eventually(lambda: any("found that of outfeed" in one for one in said))
            assert at_server(server_folder) == {}
            secret.write_text(token(server_folder, "infeed", Role.STATION) + "\n")
            eventually(lambda: any("is back after" in one for one in said))
            eventually(lambda: reported(server_folder) == 100)
        assert check(box)["error"] == ""
    all_there(server_folder, box)
    assert not any(secret.read_text().strip() in one for one in said)


@contextmanager
def reporting(path: Path, said: list[str]) -> Iterator[None]:
    """The uplink of a line without the rest, which asks again sooner than a person can help."""
    read = read_line(path)
    assert read.uplink is not None
    mark, folder = Mark(), read.data / "infeed"
    mark.opened.set()
    feed = Feed(
        station="infeed",
        boot="boot",
        folder=folder,
        mark=mark,
        counts=lambda: audit(folder).outcomes,
        alarm=said.append,
    )
    uplink = Uplink(read.uplink, [feed], pace=replace(Pace(), lasting_s=0.2))
    uplink.start()
    try:
        yield
    finally:
        uplink.stop(10)


def check(folder: Path) -> dict[str, str]:
    """What `loupe edge check` says of the way to the server."""
    done = loupe(folder, "edge", "check", "--config", folder / "line.toml", "--json")
    (found,) = [one for one in json.loads(done.stdout)["found"] if one["what"] == "uplink"]
    assert done.returncode == (1 if found["error"] else 0)
    return dict(found)
