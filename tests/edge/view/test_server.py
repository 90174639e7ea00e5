"""The view over HTTP, as browsers and Prometheus ask for it."""

import http.client
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.ledger import Outcome
from edge.link import Health
from edge.parts import Finished, Step
from edge.ports import Shot
from edge.view.board import Board
from edge.view.server import ViewServer, listen
from edge.view.watch import Watch
from tests.bundles import frame, part
from tests.edge.view.parts import finished
from tests.edge.view.test_status import FakeStation, watch
from tests.edge.world import judged
from vision.address import Address
from vision.errors import ImageError, SettingsError
from vision.image import decode, encode_png


class Site:
    """A view of one station, asked over a socket."""

    def __init__(self, server: ViewServer) -> None:
        self.address = server.address

    def get(self, path: str, host: str = "127.0.0.1:8090") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        status, headers, page = self.get("/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain")
        samples = [
            one.value
            for family in text_string_to_metric_families(page.decode())
            for one in family.samples
            if one.name == name and labels.items() <= one.labels.items()
        ]
        assert len(samples) == 1, (name, labels, samples)
        return samples[0]


@contextmanager
def viewed(*watches: Watch) -> Iterator[Site]:
    server = ViewServer(listen(Address.parse("127.0.0.1:0")), watches, boot="boot")
    try:
        yield Site(server)
    finally:
        server.stop()


def test_the_page_and_what_it_needs_come_from_here() -> None:
    with viewed(watch(Board())) as site:
        for path, kind in (("/", "text/html"), ("/view.css", "text/css"), ("/view.js", "text/javascript")):
            status, headers, content = site.get(path)
            assert status == 200
            assert headers["content-type"].startswith(kind)
            assert "default-src 'self'" in headers["content-security-policy"]
            assert b"//" not in content.replace(b"http://www.w3.org/2000/svg", b"").replace(b"// ", b"")


def test_the_state_is_told_and_never_stored() -> None:
    board = Board()
    board.ended(finished(7, Outcome.REJECT))
    with viewed(watch(board)) as site:
        status, headers, body = site.get("/status.json")
    told = json.loads(body)
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert told["boot"] == "boot"
    assert told["stations"][0]["last"]["part"] == 7


def test_a_page_of_another_name_cannot_read_it() -> None:
    with viewed(watch(Board())) as site:
        assert site.get("/status.json", host="shop.example:8090")[0] == 400
        for host in ("localhost", "localhost:8090", "127.0.0.1", "[::1]:8090"):
            assert site.get("/status.json", host=host)[0] == 200


def test_nothing_can_be_changed() -> None:
    with viewed(watch(Board())) as site:
        connection = http.client.HTTPConnection(site.address.host, site.address.port, timeout=30)
        connection.request("POST", "/status.json", body=b"{}")
        assert connection.getresponse().status == 405
        connection.close()


def drawn(number: int, times: list[int]) -> Finished:
    """A part whose picture says when it is drawn."""

    def draw() -> bytes:
        times.append(number)
        return b"picture %d" % number

    return finished(number, said=replace(judged(), overlay=draw))


def test_the_last_picture_is_drawn_when_it_is_asked_for_and_once() -> None:
    board, times = Board(), list[int]()
    board.ended(drawn(1, times))
    board.ended(drawn(2, times))
    with viewed(watch(board)) as site:
        assert times == []
        for _ in range(3):
            status, headers, picture = site.get("/stations/infeed/last.png")
            assert (status, picture, headers["loupe-part"]) == (200, b"picture 2", "2")
        assert times == [2]


def test_a_page_gets_the_picture_of_the_part_that_it_was_told_of() -> None:
    board, times = Board(), list[int]()
    board.ended(drawn(1, times))
    with viewed(watch(board)) as site:
        path = json.loads(site.get("/status.json")[2])["stations"][0]["last"]["picture"]
        board.ended(drawn(2, times))
        assert site.get(path)[2] == b"picture 1"
        assert site.get("/stations/infeed/last.png?part=2")[2] == b"picture 2"


@pytest.mark.parametrize("path", ["/stations/infeed/last.png?part=99", "/stations/infeed/last.png?part=x", "/stations/other/last.png", "/nothing"])  # fmt: skip
def test_what_is_not_there_is_said_to_be_absent(path: str) -> None:
    board = Board()
    board.ended(drawn(1, []))
    with viewed(watch(board)) as site:
        assert site.get(path)[0] == 404


def test_before_the_first_part_there_is_no_picture() -> None:
    with viewed(watch(Board())) as site:
        assert site.get("/stations/infeed/last.png")[0] == 404


@pytest.mark.parametrize("raw", [True, False])
def test_an_unjudged_part_shows_what_the_camera_saw_made_small(raw: bool) -> None:
    board, wide = Board(), part().repeat(8, axis=1)
    image = frame(wide) if raw else encode_png(wide)
    board.ended(Finished(ended=finished(1, Outcome.TIMEOUT, "captured").ended, shots=(Shot(image=image),)))
    with viewed(watch(board)) as site:
        assert decode(site.get("/stations/infeed/last.png")[2]).size_wh == (640, 80)


def test_a_picture_that_cannot_be_shown_says_why() -> None:
    board = Board()

    def draw() -> bytes:
        raise ImageError("frame 3: the JPEG is truncated")

    board.ended(finished(1, said=replace(judged(), overlay=draw)))
    with viewed(watch(board)) as site:
        status, _, said = site.get("/stations/infeed/last.png")
    assert (status, said) == (404, b"frame 3: the JPEG is truncated")


def test_a_picture_that_takes_long_holds_up_nothing_else() -> None:
    board, ready = Board(), Event()

    def draw() -> bytes:
        assert ready.wait(30)
        return b"late"

    board.ended(finished(1, said=replace(judged(), overlay=draw)))
    with viewed(watch(board)) as site:
        connection = http.client.HTTPConnection(site.address.host, site.address.port, timeout=30)
        connection.request("GET", "/stations/infeed/last.png")
        for _ in range(3):
            assert site.get("/status.json")[0] == 200
        ready.set()
        assert connection.getresponse().read() == b"late"
        connection.close()


def test_prometheus_reads_what_happened() -> None:
    board = Board()
    for number, (outcome, reason) in enumerate(
        [(Outcome.ACCEPT, "confident"), (Outcome.ACCEPT, "confident"), (Outcome.FAULT, "camera")], 1
    ):
        board.step(number, Step.BEGUN)
        board.ended(finished(number, outcome, reason, decided_ms=None if outcome == Outcome.FAULT else 12.0))
    board.alarm("camera: unplugged")
    devices = {"camera": Health(well=False), "output": Health(well=True), "trigger": Health()}
    counts = {"camera": {"resent": 12, "reconnects": 1}}
    with viewed(watch(board, FakeStation(devices=devices, refusals=2, counts=counts))) as site:
        for name, labels, value in (
            ("loupe_edge_parts_total", {"outcome": "accept", "reason": "confident"}, 2),
            ("loupe_edge_parts_total", {"outcome": "fault", "reason": "camera"}, 1),
            ("loupe_edge_triggers_total", {}, 3),
            ("loupe_edge_camera_total", {"camera": "camera", "what": "resent"}, 12),
            ("loupe_edge_outcomes_kept_total", {}, 0),
            ("loupe_edge_alarms_total", {}, 1),
            ("loupe_edge_ledger_refusals_total", {}, 2),
            ("loupe_edge_decision_seconds_bucket", {"le": "0.01"}, 0),
            ("loupe_edge_decision_seconds_bucket", {"le": "0.015"}, 2),
            ("loupe_edge_decision_seconds_count", {}, 2),
            ("loupe_edge_decision_seconds_sum", {}, pytest.approx(0.024)),
            ("loupe_edge_gate_seconds_count", {}, 3),
            ("loupe_edge_due_seconds", {}, 0.25),
            ("loupe_edge_station_up", {}, 1),
            ("loupe_edge_device_up", {"device": "camera"}, 0),
            ("loupe_edge_device_up", {"device": "output"}, 1),
            ("loupe_edge_certified", {"bundle": "sha256:1"}, 0),
        ):
            assert site.metric(name, station="infeed", **labels) == value, (name, labels)
        assert site.metric("process_resident_memory_bytes") > 2**20


@pytest.mark.parametrize(
    ("station", "ended", "code"),
    [
        (FakeStation(), None, 200),
        (FakeStation(beaten_s=None), None, 503),
        (FakeStation(beaten_s=-math.inf), None, 503),
        (FakeStation(), "the ledger refused", 503),
    ],
)
def test_health_is_that_of_every_station(station: FakeStation, ended: str | None, code: int) -> None:
    with viewed(watch(Board(), FakeStation("well")), watch(Board(), station, ended=ended)) as site:
        status, _, body = site.get("/healthz")
    assert status == code
    assert json.loads(body)["ready"] == (code == 200)


def test_an_address_that_is_taken_is_named() -> None:
    with (
        viewed(watch(Board())) as site,
        pytest.raises(SettingsError, match=r"cannot listen on 127.0.0.1:\d+: "),
    ):
        listen(site.address)
