"""Browsers that are slow, hang, or ask without end, beside a station that has parts to judge."""

import asyncio
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from edge.ledger import Outcome
from edge.parts import Judged
from edge.ports import Devices, Pulse, Shot
from edge.station import Rules, Station
from edge.view.board import Board
from edge.view.server import ViewServer, listen
from edge.view.watch import Watch
from tests.bundles import part
from tests.edge.world import FakeActuator, FakeBook, FakeCamera, FakeTrigger, judged
from vision.address import Address
from vision.image import encode_png
from vision.inspection.policy import Decision

PARTS, PERIOD_S, DUE_S = 60, 0.03, 0.1
HALF_A_REQUEST = b"GET /status.json HTTP/1.1\r\nHost: localhost\r\nX-Long: "


class Judges:
    def choose(self, recipe: int | None) -> "Judges":
        return self

    def __call__(self, shots: tuple[Shot, ...]) -> Judged:
        return Judged(
            verdict=judged().verdict, bundle="a", overlay=lambda: encode_png(part().repeat(4, axis=0))
        )


@contextmanager
def hanging(address: Address, browsers: int) -> Iterator[None]:
    """Half of them never finish their question, half never read the answer."""
    with ExitStack() as stack:
        for number in range(browsers):
            one = stack.enter_context(socket.create_connection((address.host, address.port), 10))
            one.sendall(HALF_A_REQUEST if number % 2 else HALF_A_REQUEST + b"\r\n\r\n")
        yield


@contextmanager
def asking(address: Address, path: str, answers: list[int]) -> Iterator[None]:
    """One that asks again as soon as it has its answer."""
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as page:
                    page.read()
                    answers.append(page.status)
            except urllib.error.HTTPError as error:  # no part yet
                with error:
                    time.sleep(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_slow_and_hanging_browsers_cost_the_station_nothing() -> None:
    board, actuator = Board(), FakeActuator()

    async def work() -> list[Pulse]:
        started = asyncio.get_running_loop().time() + 0.2
        pulses = [Pulse(at_s=started + number * PERIOD_S) for number in range(PARTS)]
        station = Station(
            "cell",
            Devices(trigger=FakeTrigger(pulses), cameras=(FakeCamera(),), actuator=actuator),
            judges=Judges(),
            book=FakeBook(),
            rules=Rules(due_s=DUE_S, fail_safe=Decision.REJECT, late_s=0.05),
            on_end=board.ended,
            on_step=board.step,
        )
        watch = Watch(station=station, board=board, due_ms=1e3 * DUE_S, ended=lambda: None)
        server = ViewServer(listen(Address.parse("127.0.0.1:0")), [watch], boot="boot")
        told, shown = list[int](), list[int]()
        try:
            with (
                hanging(server.address, 20),
                asking(server.address, "/status.json", told),
                asking(server.address, "/stations/cell/last.png", shown),
            ):
                await station.run(asyncio.Event())
        finally:
            server.stop()
        assert len(told) > PARTS
        assert len(shown) > PARTS
        return pulses

    pulses = asyncio.run(work())

    assert board.tally.outcomes[Outcome.ACCEPT] == PARTS
    lateness = [at - one.at_s - DUE_S for one, (at, _) in zip(pulses, actuator.driven, strict=True)]
    assert sorted(lateness)[PARTS // 2] < 0.01


def test_more_connections_than_there_is_room_for_are_told_to_come_again_and_later_ones_are_served() -> None:
    watch = Watch(
        station=Station(
            "cell",
            Devices(trigger=FakeTrigger([]), cameras=(FakeCamera(),), actuator=FakeActuator()),
            judges=Judges(),
            book=FakeBook(),
            rules=Rules(due_s=DUE_S, fail_safe=Decision.REJECT),
        ),
        board=Board(),
        due_ms=1e3 * DUE_S,
        ended=lambda: None,
    )
    server = ViewServer(listen(Address.parse("127.0.0.1:0")), [watch], boot="boot")
    url = f"http://{server.address}/status.json"
    try:
        with hanging(server.address, 80):
            time.sleep(0.2)
            try:
                urllib.request.urlopen(url, timeout=10).close()
                refused = 200
            except urllib.error.HTTPError as error:
                with error:
                    refused = error.code
        assert refused == 503
        deadline = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10) as page:
                    assert json.load(page)["boot"] == "boot"
                break
            except urllib.error.HTTPError as error:
                with error:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
    finally:
        server.stop()
