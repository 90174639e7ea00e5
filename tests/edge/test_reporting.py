"""What a station's ledger holds reaches the server, whatever becomes of the server meanwhile; in simulated time."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from edge.ledger import Begun, Ledger, Outcome
from edge.outbox import CURSOR, Feed, Mark, acknowledged
from edge.reporting import Pace, Reporter, Say
from tests.edge.test_ledger import NOON
from tests.edge.test_outbox import ended, fill, opened
from tests.edge.world import simulated
from vision.errors import (
    AuthenticationError,
    DeadlineError,
    LoupeError,
    OverloadedError,
    RequestError,
    UnavailableError,
    WireError,
)
from vision.v1 import fleet_pb2

GONE: Final = UnavailableError("server:1: connection refused")
PACE: Final = Pace(batch=10, burst=3)


@dataclass
class FakeServer:
    """Keeps what is reported; `script` holds what befalls it call by call: an error, or nothing.

    An error after which a message had been kept all the same is one whose answer was lost.
    """

    script: Iterator[LoupeError | None] = field(default_factory=lambda: iter(()))
    loses_answers: bool = False
    refuses: frozenset[int] = frozenset()
    kept: dict[tuple[str, int], fleet_pb2.PartResult] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    registered: list[fleet_pb2.RegisterRequest] = field(default_factory=list)
    beats: list[fleet_pb2.HeartbeatRequest] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    streams: int = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["FakeServer"]:
        yield self

    async def register(self, request: fleet_pb2.RegisterRequest) -> None:
        self._befall()
        self.registered.append(request)

    async def beat(self, request: fleet_pb2.HeartbeatRequest) -> None:
        self._befall()
        self.beats.append(request)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[Say]:
        self.streams += 1

        async def say(request: fleet_pb2.ReportResultsRequest) -> fleet_pb2.ReportResultsResponse:
            if not self.loses_answers:
                self._befall()
            response = fleet_pb2.ReportResultsResponse()
            for one in request.results:
                self.sent.append(one.part)
                answer = response.acknowledgements.add(boot=one.boot, part=one.part)
                if one.part in self.refuses:
                    answer.refusal.message = "other content"
                else:
                    known = self.kept.setdefault((one.boot, one.part), one)
                    assert known == one, "a part says the same whenever it is sent"
            if self.loses_answers:
                self._befall()
            return response

        yield say

    def _befall(self) -> None:
        self.calls.append(asyncio.get_running_loop().time())
        what = next(self.script, None)
        if what is not None:
            raise what


@dataclass
class Box:
    """A ledger that is open, and the task that reports it."""

    folder: Path
    server: FakeServer
    pace: Pace = PACE
    alarms: list[str] = field(default_factory=list)
    mark: Mark = field(default_factory=Mark)

    def reports(self, *, for_s: float = 0.0) -> None:
        """Report for so long, and then what is left, as at the end of a run."""
        simulated(self._reports(for_s))

    async def _reports(self, for_s: float) -> None:
        self.mark.acknowledged = acknowledged(self.folder)
        self.mark.opened.set()
        feed = Feed(
            station="infeed", boot="boot", folder=self.folder, mark=self.mark,
            counts=lambda: {Outcome.ACCEPT: 7}, alarm=self.alarms.append,
        )  # fmt: skip
        reporter = Reporter(feed, self.server.connect, where="server:1", absence_s=60, pace=self.pace)
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(for_s, stopping.set)
        await reporter.run(stopping)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(opened(tmp_path)) as one:
        yield one


def failures(*errors: LoupeError | None) -> Iterator[LoupeError | None]:
    return iter(errors)


def parts(server: FakeServer) -> list[int]:
    return sorted(part for _, part in server.kept)


def test_everything_is_reported_in_order_and_once(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 96))
    box = Box(tmp_path, FakeServer())
    box.reports(for_s=1)
    assert box.server.sent == list(range(1, 96))
    assert box.mark.acknowledged == acknowledged(tmp_path) == 95
    assert box.server.streams == 4, "no call goes on for long"
    assert box.alarms == []


def test_the_server_knows_who_reports_and_how_it_does(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 6), bundle="abc")
    ledger.commit([Begun(part=6, at=NOON)])
    box = Box(tmp_path, FakeServer())
    box.mark.discarded = 3
    box.reports(for_s=11)
    (registered,) = box.server.registered
    assert (registered.station, registered.boot, registered.bundle) == ("infeed", "boot", "abc")
    assert registered.version
    assert len(box.server.beats) >= 3, "every five seconds, and at the end"
    last = box.server.beats[-1]
    assert (last.outcomes.accept, last.waiting, last.discarded, last.bundle) == (7, 1, 3, "abc")


def test_nothing_is_reported_before_its_time(tmp_path: Path, ledger: Ledger) -> None:
    ledger.commit([Begun(part=1, at=NOON), Begun(part=2, at=NOON), ended(2)])
    box = Box(tmp_path, FakeServer())
    box.reports(for_s=1)
    assert box.server.sent == []
    ledger.commit([ended(1)])
    box.reports(for_s=1)
    assert box.server.sent == [1, 2]


def test_a_server_that_is_away_for_a_shift_gets_everything_when_it_is_back(
    tmp_path: Path, ledger: Ledger
) -> None:
    fill(ledger, range(1, 501))
    back_at = 6 * 3600.0
    server = FakeServer()
    server.script = (GONE if server.calls[-1] < back_at else None for _ in iter(int, 1))
    box = Box(tmp_path, server)
    box.reports(for_s=back_at + 60)
    assert server.sent == list(range(1, 501))
    away, back = box.alarms
    assert away.startswith("server:1 has been away for 0:01:")
    assert "500 results wait in the ledger: uplink: server:1: connection refused" in away
    assert back.startswith("server:1 is back after 6:0")
    tries = [at for at in server.calls if at < back_at]
    assert len(tries) < back_at / 3, "it is asked again after seconds, not at once"
    assert max(later - earlier for earlier, later in itertools.pairwise(tries)) <= 10.1
    assert len({round(later - earlier, 3) for earlier, later in itertools.pairwise(tries[10:])}) > 100


def test_what_was_kept_though_its_answer_was_lost_is_sent_again(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 31))
    server = FakeServer(loses_answers=True, script=failures(None, None, DeadlineError("no answer")))
    box = Box(tmp_path, server)
    box.reports(for_s=60)
    assert parts(server) == list(range(1, 31))
    assert server.sent == [*range(1, 21), *range(11, 31)]


def test_a_refused_part_is_said_and_holds_up_no_other(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 31))
    box = Box(tmp_path, FakeServer(refuses=frozenset({7, 30})))
    box.reports(for_s=1)
    assert parts(box.server) == [one for one in range(1, 31) if one not in {7, 30}]
    assert box.alarms == [
        f"part {one} was refused by the server, which does not have it: other content" for one in (7, 30)
    ]
    assert box.mark.acknowledged == 30


@pytest.mark.parametrize(
    "error", [AuthenticationError("no such token"), RequestError("station: expected another")]
)
def test_where_a_person_must_help_it_is_said_at_once_and_asked_again_slowly(
    tmp_path: Path, ledger: Ledger, error: LoupeError
) -> None:
    fill(ledger, range(1, 3))
    server = FakeServer(script=failures(*[error] * 3))
    box = Box(tmp_path, server)
    box.reports(for_s=300)
    assert box.alarms[0] == f"uplink: {error}; results wait in the ledger"
    assert box.alarms[1].startswith("server:1 is back after 0:00:")
    assert len(box.alarms) == 2
    assert all(
        later - earlier >= PACE.lasting_s
        for earlier, later in zip(server.calls[:3], server.calls[1:4], strict=True)
    )
    assert parts(server) == [1, 2]


def test_a_server_that_asks_to_come_later_is_asked_later(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 3))
    server = FakeServer(script=failures(OverloadedError("too many", retry_after_s=30)))
    Box(tmp_path, server).reports(for_s=60)
    assert server.calls[1] - server.calls[0] >= 30
    assert parts(server) == [1, 2]


def test_an_answer_to_something_else_is_not_believed(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 3))

    class Confused(FakeServer):
        @override
        @asynccontextmanager
        async def reporting(self) -> AsyncIterator[Say]:
            async def say(_: fleet_pb2.ReportResultsRequest) -> fleet_pb2.ReportResultsResponse:
                return fleet_pb2.ReportResultsResponse()

            yield say

    box = Box(tmp_path, Confused())
    box.reports(for_s=120)
    assert box.mark.acknowledged == 0
    assert "expected 2 acknowledgements" in box.alarms[0]


def test_without_room_for_its_place_reporting_goes_on(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 31))
    (tmp_path / CURSOR).mkdir()
    box = Box(tmp_path, FakeServer())
    box.reports(for_s=1)
    assert parts(box.server) == list(range(1, 31))
    (said,) = box.alarms
    assert f"{CURSOR}: cannot be written" in said


def test_told_to_end_while_the_server_is_away_it_ends(tmp_path: Path, ledger: Ledger) -> None:
    fill(ledger, range(1, 3))
    server = FakeServer(script=(GONE for _ in iter(int, 1)))
    Box(tmp_path, server, pace=replace(PACE, lasting_s=1e6)).reports(for_s=5)
    assert server.kept == {}


errors = st.sampled_from(
    [GONE, DeadlineError("late"), WireError("odd"), OverloadedError("full", retry_after_s=1.0)]
)


@settings(max_examples=25, deadline=None)
@given(
    script=st.lists(st.none() | errors, max_size=40),
    runs=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=5),
    loses_answers=st.booleans(),
)
def test_whatever_fails_and_whenever_the_box_is_restarted_nothing_is_lost_or_doubled(
    script: Sequence[LoupeError | None],
    runs: Sequence[tuple[int, bool]],
    loses_answers: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("box")
    server = FakeServer(script=iter(script), loses_answers=loses_answers)
    taken = 0
    for number, (more, forgets) in enumerate(runs):
        with closing(opened(folder, boot=f"boot{number}")) as ledger:
            fill(ledger, range(taken + 1, taken + more + 1))
            taken += more
            box = Box(folder, server)
            box.reports(for_s=1)
        if forgets:  # a power cut tore the file
            (folder / CURSOR).write_bytes(b"")
    with closing(opened(folder, boot="last")):
        box = Box(folder, server)
        box.reports(for_s=1000)
    assert parts(server) == list(range(1, taken + 1))
    assert box.mark.acknowledged == taken
