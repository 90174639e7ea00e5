"""Browsers that are slow, hang, or ask without end, beside a station that has parts to judge."""

import asyncio
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from edge.ledger import Outcome
from edge.parts import Judged
from edge.ports import Devices, Pulse, Shot
from edge.rules import Rules
from edge.station import Station
from edge.view.board import Board
from edge.view.server import ViewServer, listen
from edge.view.watch import Watch
from tests.bundles import part
from tests.e2e.serving import eventually
from tests.edge.world import FakeActuator, FakeBook, FakeCamera, FakeTrigger, judged
from vision.address import Address
from vision.image import encode_png
from vision.inspection.policy import Decision

PARTS, PERIOD_S, DUE_S = 60, 0.03, 0.25
HALF_A_REQUEST = b"GET /status.json HTTP/1.1\r\nHost: localhost\r\nX-Long: "


class Judges:
    def choose(self, recipe: int | None) -> "Judges":
        return self

    def __call__(self, shots: tuple[Shot, ...]) -> Judged:
        return Judged(
            verdict=judged().verdict, bundle="a", overlay=lambda: encode_png(part().repeat(4, axis=0))
        )


@contextmanager
def viewed(station: Station, board: Board) -> Iterator[Address]:
    watch = Watch(station=station, board=board, due_ms=1e3 * DUE_S, ended=lambda: None)
    server = ViewServer(listen(Address.parse("127.0.0.1:0")), [watch], boot="boot")
    try:
        yield server.address
    finally:
        server.stop()


def status(address: Address) -> int:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
    try:
        connection.request("GET", "/status.json")
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def hanging(address: Address, browsers: int, *, asked: int = 2) -> Iterator[None]:
    """They never finish their question, but one in `asked`, which never reads the answer."""
    with ExitStack() as stack:
        for number in range(browsers):
            one = stack.enter_context(socket.create_connection((address.host, address.port), 10))
            one.sendall(HALF_A_REQUEST if (number + 1) % asked else HALF_A_REQUEST + b"\r\n\r\n")
        yield


@contextmanager
def asking(address: Address, path: str) -> Iterator[None]:
    """Two browsers, in a process of their own, that ask again as soon as they have their answer."""
    ask = f"""
import http.client
while True:
    connection = http.client.HTTPConnection("{address.host}", {address.port}, timeout=10)
    for _ in range(100):
        connection.request("GET", "{path}")
        connection.getresponse().read()
    connection.close()
"""
    processes = [subprocess.Popen([sys.executable, "-c", ask]) for _ in range(2)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def cell(board: Board, actuator: FakeActuator, pulses: Sequence[Pulse]) -> Station:
    return Station(
        "cell",
        Devices(trigger=FakeTrigger(pulses), cameras=(FakeCamera(),), actuator=actuator),
        judges=Judges(),
        book=FakeBook(),
        rules=Rules(due_s=DUE_S, fail_safe=Decision.REJECT, late_s=0.05),
        on_end=board.ended,
        on_step=board.step,
    )


def test_slow_and_hanging_browsers_cost_the_station_nothing() -> None:
    board, actuator, pulses = Board(), FakeActuator(), list[Pulse]()
    station = cell(board, actuator, pulses)

    async def work() -> None:
        started = asyncio.get_running_loop().time() + PERIOD_S
        pulses.extend(Pulse(at_s=started + number * PERIOD_S) for number in range(PARTS))
        await station.run(asyncio.Event())

    with (
        viewed(station, board) as address,
        hanging(address, 20),
        asking(address, "/status.json"),
        asking(address, "/stations/cell/last.png"),
    ):
        time.sleep(0.5)  # until they ask
        asyncio.run(work())

    assert board.tally.outcomes[Outcome.ACCEPT] == PARTS, board.tally.parts
    lateness = [at - one.at_s - DUE_S for one, (at, _) in zip(pulses, actuator.driven, strict=True)]
    assert sorted(lateness)[PARTS // 2] < 0.005


def test_more_connections_than_there_is_room_for_are_told_to_come_again_and_later_ones_are_served() -> None:
    board = Board()
    with viewed(cell(board, FakeActuator(), []), board) as address:
        with hanging(address, 80, asked=1000):  # who was answered is let go of after a while
            eventually(lambda: status(address) == 503)
        eventually(lambda: status(address) == 200)
