"""The uplink's thread beside a ledger's: it ends when told, whatever the server does, and holds up no row."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.ledger import Ended, Ledger, Outcome
from edge.line import read_line
from edge.outbox import Feed, Mark
from edge.reporting import Pace
from edge.uplink import Uplink, reach
from edge.uplink_table import UplinkTable
from edge.writer import LedgerWriter
from tests.edge.deaf import deaf
from tests.edge.test_outbox import fill, opened
from vision.address import Address
from vision.errors import DeadlineError, SettingsError, UnavailableError

PACE = replace(Pace(), answer_s=0.3, look_s=0.02)


@contextmanager
def reporting(folder: Path, server: Address, mark: Mark, alarms: list[str]) -> Iterator[Uplink]:
    feed = Feed(
        station="infeed", boot="boot", folder=folder, mark=mark,
        counts=lambda: {Outcome.ACCEPT: 1}, alarm=alarms.append,
    )  # fmt: skip
    uplink = Uplink(UplinkTable(server=server, away_alarm_s=0.5), [feed], pace=PACE)
    uplink.start()
    try:
        yield uplink
    finally:
        uplink.stop(0.2)


def waits_ms(folder: Path, mark: Mark, parts: int = 150) -> list[float]:
    """How long each row was waited for."""

    async def work() -> list[float]:
        book = LedgerWriter(lambda: _marked(folder, mark), alarm=lambda _: None, mark=mark)
        await book.start()
        found = []
        for _ in range(parts):
            started = time.perf_counter()
            part, kept = book.begin(None)
            await kept
            found.append(1e3 * (time.perf_counter() - started))
            await book.end(Ended(part=part, outcome=Outcome.ACCEPT, reason="confident"))
        await book.stop()
        return found

    return asyncio.run(work())


def _marked(folder: Path, mark: Mark) -> Ledger:
    ledger = opened(folder)
    mark.opened.set()
    return ledger


@pytest.mark.slow
def test_a_server_that_hangs_holds_up_no_row(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        fill(ledger, range(1, 2001))
    alone, beside, mark = list[float](), list[float](), Mark()
    for _ in range(3):  # in turns: other programs use the disk as well
        alone += waits_ms(tmp_path, Mark())
        mark, alarms = Mark(), list[str]()
        with deaf() as server, reporting(tmp_path, server, mark, alarms):
            beside += waits_ms(tmp_path, mark)
    assert mark.acknowledged == 0
    assert statistics.median(beside) <= 1.5 * statistics.median(alone) + 1.0, (
        f"{statistics.median(beside):.2f} ms beside it, {statistics.median(alone):.2f} ms alone"
    )


def test_it_ends_when_told_although_nobody_answers(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        fill(ledger, range(1, 10))
        mark, alarms = Mark(), list[str]()
        mark.opened.set()
        with deaf() as server, reporting(tmp_path, server, mark, alarms) as uplink:
            until = time.monotonic() + 20
            while not alarms and time.monotonic() < until:
                time.sleep(0.05)
            started = time.monotonic()
            uplink.stop(0.2)
            assert time.monotonic() - started < 2.0
        assert "has been away for 0:00:01" in alarms[0] or "has been away for 0:00:00" in alarms[0]
        assert "9 results wait in the ledger: uplink: 127.0.0.1:" in alarms[0]


def test_a_ledger_that_is_never_opened_is_waited_for_and_no_longer_than_the_line_runs(tmp_path: Path) -> None:
    with deaf() as server, reporting(tmp_path, server, Mark(), []) as uplink:
        started = time.monotonic()
        uplink.stop(5)
        assert time.monotonic() - started < 2.0


def test_whether_a_server_is_reached_is_said(tmp_path: Path) -> None:
    with deaf() as server, pytest.raises((DeadlineError, UnavailableError)):
        asyncio.run(reach(UplinkTable(server=server), "infeed", patience_s=0.3))
    nobody = UplinkTable(server=server, token=tmp_path / "none.token")
    with pytest.raises(SettingsError, match=r"uplink\.token: .*none\.token: expected a file with a token"):
        asyncio.run(reach(nobody, "infeed", patience_s=0.3))


def test_a_line_without_a_server_does_not_even_load_grpc() -> None:
    program = "import sys, edge.app, edge.commands.run; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def line(folder: Path, server: str, uplink: str, stations: tuple[str, ...] = ("infeed",)) -> Path:
    path = folder / "line.toml"
    tables = [
        f"""
        [[station]]
        name = "{name}"
        bundle = "none.loupe"
        due_s = 1
        trigger = {{ kind = "timer", period_s = 1 }}
        camera = {{ kind = "folder", folder = "parts" }}
        actuator = {{ kind = "journal", path = "gate.jsonl" }}
        """
        for name in stations
    ]
    path.write_text("\n".join([f'[uplink]\nserver = "{server}"\n{uplink}', *tables]))
    return path


@pytest.mark.parametrize(
    ("uplink", "said"),
    [
        ("keep_rows = 1", "uplink.keep_rows: input should be greater than or equal to 100, found 1"),
        ("max_rows = 500", "uplink: max_rows: expected at least keep_rows, 100000, found 500"),
        ("colour = 1", "uplink.colour: expected one of "),
        (
            'tls = { key = "k.pem" }',
            "uplink.tls: expected certificate and key together, found no certificate",
        ),
        (
            'token = "t"',
            "uplink: tls: expected a table, since a token must not leave this machine in plain text",
        ),
    ],
)
def test_an_uplink_that_is_wrong_is_refused_by_its_field(tmp_path: Path, uplink: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_line(line(tmp_path, "192.0.2.1:50051", uplink))
    assert said in str(refused.value)


def test_several_stations_cannot_share_a_token(tmp_path: Path) -> None:
    path = line(tmp_path, "127.0.0.1:1", 'token = "secret"', ("infeed", "outfeed"))
    with pytest.raises(SettingsError, match=r"uplink\.token: expected \{station\} in it"):
        read_line(path)
