"""Many pictures over one stream: each gets one outcome, whatever happens to the others or to the stream."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest

from tests.vision.client.conftest import QUICK, Ask, in_place
from tests.vision.client.fake_server import FakeServer, HangUp, Judge, Refuse, Say, Silence, Step
from vision.client import Answer, AsyncClient, Backoff, Client, Outcome, Picture
from vision.errors import (
    AuthenticationError,
    DeadlineError,
    ImageError,
    OverloadedError,
    RemoteError,
    RequestError,
    SettingsError,
    UnavailableError,
    WireError,
)
from vision.v1 import inspection_pb2

FULL = Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_after_s=0.05)

REFUSED_HALFWAY: list[Step] = [Silence(), HangUp(grpc.StatusCode.UNAUTHENTICATED, "who are you")] * 10


def labels(outcomes: list[Outcome]) -> list[str | None]:
    """What each picture, in its place, was found to be; errors fail the test."""
    found = []
    for outcome in in_place(outcomes):
        assert isinstance(outcome.result, Answer), outcome.result
        found.append(outcome.result.verdict.label)
    return found


def pictures(count: int) -> list[bytes]:
    return [f"part{number}".encode() for number in range(count)]


def test_every_picture_gets_its_answer(server: FakeServer, ask: Ask) -> None:
    assert labels(ask("inspect_many", pictures(50))) == [f"part{number}" for number in range(50)]
    assert server.script.streams == 1
    assert len({request.request_id for request in server.script.received}) == 50


def test_no_pictures_need_no_server(server: FakeServer, ask: Ask) -> None:
    server.stop()
    assert ask("inspect_many", []) == []


def test_what_is_wanted_is_wanted_of_every_picture(server: FakeServer, ask: Ask) -> None:
    options = {"model": "plates", "heatmap": True, "embedding": True, "explain": True, "priority": "catalog"}
    outcomes = ask("inspect_many", pictures(3), **options)
    for outcome in outcomes:
        assert outcome.result.heatmap.startswith(b"\x89PNG")
        assert outcome.result.embedding is not None
        assert outcome.result.explanation is not None
    assert {request.priority for request in server.script.received} == {inspection_pb2.PRIORITY_CATALOG}
    assert {request.model for request in server.script.received} == {"plates"}


def test_pictures_carry_their_part_and_an_id_where_the_caller_has_one(
    server: FakeServer, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "red.png").write_bytes(b"red")
    given = [Picture(image=b"good", part="P-1", request_id="one"), tmp_path / "red.png"]
    good, red = in_place(ask("inspect_many", given))
    assert labels([good, red]) == ["good", "red"]
    assert (good.request_id, good.part) == ("one", "P-1")
    assert (len(red.request_id), red.part) == (32, "")
    assert [request.part for request in server.script.received] == ["P-1", ""]


def test_outcomes_come_in_the_order_of_completion(server: FakeServer, ask: Ask) -> None:
    first, second = (inspection_pb2.InspectRequest(request_id=name, image=name.encode()) for name in "ab")
    answers = [next(Judge().stream(request, None)) for request in (second, first)]
    server.script.then(Silence(), Say(tuple(answers)))
    given = [Picture(image=b"a", request_id="a"), Picture(image=b"b", request_id="b")]
    assert [outcome.index for outcome in ask("inspect_many", given)] == [1, 0]


def test_one_that_fails_ends_neither_the_stream_nor_the_others(server: FakeServer, ask: Ask) -> None:
    violations = (("image", "cannot be decoded"),)
    server.script.then(
        Judge(),
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "bad picture", violations=violations),
        Refuse(grpc.StatusCode.INTERNAL, "broken"),
        Judge(),
    )
    first, refused, broken, last = in_place(ask("inspect_many", pictures(4)))
    assert isinstance(first.result, Answer)
    assert isinstance(refused.result, RequestError)
    assert str(refused.result) == f"{server.address}: bad picture; image: cannot be decoded"
    assert type(broken.result) is RemoteError
    assert isinstance(last.result, Answer)
    assert server.script.streams == 1


def test_a_picture_that_is_refused_for_now_is_sent_again_on_the_same_stream(
    server: FakeServer, ask: Ask
) -> None:
    server.script.then(FULL, FULL, Judge(repeated=True))
    (outcome,) = ask("inspect_many", [b"good"])
    assert outcome.result.repeated is True
    assert [request.request_id for request in server.script.received] == [outcome.request_id] * 3
    assert server.script.streams == 1


def test_a_picture_that_is_refused_until_its_deadline_says_why(server: FakeServer, ask: Ask) -> None:
    server.script.then(FULL, Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "still full", retry_after_s=30))
    started = time.monotonic()
    (outcome,) = ask("inspect_many", [b"good"], deadline_s=10)
    assert time.monotonic() - started < 5
    assert isinstance(outcome.result, OverloadedError)
    assert str(outcome.result) == f"{server.address}: still full (after 2 attempts)"
    assert outcome.result.retry_after_s == 30


def test_a_picture_that_time_runs_out_for_says_what_it_had_met(server: FakeServer, ask: Ask) -> None:
    server.script.then(FULL, Silence())
    (outcome,) = ask("inspect_many", [b"good"], deadline_s=0.5)
    assert isinstance(outcome.result, OverloadedError)
    assert str(outcome.result) == f"{server.address}: full; then no answer in time (after 2 attempts)"


def test_a_picture_without_an_answer_in_time_holds_up_no_other(server: FakeServer, ask: Ask) -> None:
    server.script.then(Judge(), Silence(), Judge())
    started = time.monotonic()
    first, silent, last = in_place(ask("inspect_many", pictures(3), deadline_s=0.5))
    assert time.monotonic() - started < 3
    assert isinstance(first.result, Answer)
    assert isinstance(last.result, Answer)
    assert isinstance(silent.result, DeadlineError)
    assert "expected an answer within 0.5 s, found none" in str(silent.result)


@pytest.mark.parametrize("how", [HangUp(), HangUp(code=None)], ids=["unavailable", "as if all were well"])
def test_a_stream_that_breaks_is_begun_again_with_what_is_unanswered(
    how: HangUp, server: FakeServer, ask: Ask
) -> None:
    server.script.then(Judge(), Silence(), how)
    assert labels(ask("inspect_many", pictures(6))) == [f"part{number}" for number in range(6)]
    assert server.script.streams == 2
    sent = [request.image for request in server.script.received]
    assert sent.count(b"part0") == 1
    assert sent.count(b"part1") == 2


def test_a_server_that_comes_back_answers_what_was_under_way(server: FakeServer, ask: Ask) -> None:
    server.script.then(Judge(), *[Silence()] * 3)

    def restart() -> None:
        while len(server.script.received) < 4:
            time.sleep(0.01)
        server.stop()
        time.sleep(0.3)
        server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    try:
        found = labels(ask("inspect_many", pictures(8), in_flight=4))
    finally:
        restarting.join()
    assert found == [f"part{number}" for number in range(8)]


def test_a_server_that_is_gone_for_good_leaves_an_error_to_each_picture(server: FakeServer, ask: Ask) -> None:
    server.script.then(Judge(), *[Silence()] * 100)

    def stop() -> None:
        while len(server.script.received) < 4:
            time.sleep(0.01)
        server.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    outcomes = in_place(ask("inspect_many", pictures(6), in_flight=4, deadline_s=0.8))
    stopping.join()
    assert isinstance(outcomes[0].result, Answer)
    for outcome in outcomes[1:]:
        assert isinstance(outcome.result, UnavailableError)
        assert str(outcome.result).startswith(f"{server.address}: ")


def test_a_stream_that_is_refused_gives_up_the_pictures_taken_and_takes_no_more(
    server: FakeServer,
) -> None:
    server.script.then(*[HangUp(grpc.StatusCode.UNAUTHENTICATED, "who are you")] * 10)
    taken = []

    def source() -> Iterator[bytes]:
        for picture in pictures(100):
            taken.append(picture)
            yield picture

    outcomes: list[Outcome] = []
    with (
        Client(server.address, backoff=QUICK) as client,
        pytest.raises(AuthenticationError, match=f"{server.address}: who are you"),
    ):
        outcomes += client.inspect_many(source(), in_flight=4)
    assert len(taken) < 10


def test_the_outcomes_of_a_refused_stream_come_before_its_error(server: FakeServer) -> None:
    server.script.then(*REFUSED_HALFWAY)
    with Client(server.address, backoff=QUICK) as client:
        stream = client.inspect_many(pictures(2))
        outcomes = [next(stream), next(stream)]
        assert all(isinstance(outcome.result, AuthenticationError) for outcome in in_place(outcomes))
        with pytest.raises(AuthenticationError):
            next(stream)


@pytest.mark.asyncio
async def test_the_outcomes_of_a_refused_stream_come_before_its_error_in_a_loop(server: FakeServer) -> None:
    server.script.then(*REFUSED_HALFWAY)
    async with AsyncClient(server.address, backoff=QUICK) as client:
        stream = client.inspect_many(pictures(2))
        outcomes = [await anext(stream), await anext(stream)]
        assert all(isinstance(outcome.result, AuthenticationError) for outcome in in_place(outcomes))
        with pytest.raises(AuthenticationError):
            await anext(stream)


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL])
def test_a_stream_that_the_server_cancels_or_breaks_is_an_error(
    code: grpc.StatusCode, server: FakeServer, ask: Ask
) -> None:
    server.script.then(*[HangUp(code, "enough")] * 10)
    with pytest.raises(RemoteError, match="enough"):
        ask("inspect_many", pictures(3), deadline_s=5)


def test_a_picture_that_cannot_be_sent_is_an_outcome_like_others(
    server: FakeServer, ask: Ask, tmp_path: Path
) -> None:
    given = [
        b"good",
        tmp_path / "absent.png",
        b"",
        Picture(image=b"red", part="\udcff"),
        Picture(image=b"red", request_id="same"),
        Picture(image=b"blue", request_id="same"),
    ]
    server.script.then(Judge(after_s=0.2))
    good, absent, empty, no_text, red, twice = in_place(ask("inspect_many", given))
    assert isinstance(good.result, Answer)
    assert isinstance(absent.result, ImageError)
    assert "absent.png: cannot be read" in str(absent.result)
    assert isinstance(empty.result, ImageError)
    assert isinstance(no_text.result, SettingsError)
    assert isinstance(red.result, Answer)
    assert isinstance(twice.result, SettingsError)
    assert "found 'same' twice" in str(twice.result)
    assert len(server.script.received) == 2


def test_messages_that_fit_no_picture_or_say_nothing_do_no_harm(server: FakeServer, ask: Ask) -> None:
    stranger = next(Judge().stream(inspection_pb2.InspectRequest(request_id="nobody", image=b"red"), None))
    nothing = inspection_pb2.InspectStreamResponse(request_id="a")
    no_error = Refuse(grpc.StatusCode.OK, "all is well").status()
    well = inspection_pb2.InspectStreamResponse(request_id="b", error=no_error)
    strange = inspection_pb2.InspectStreamResponse(request_id="c")
    strange.error.code = 99
    server.script.then(Say((stranger, nothing)), Say((well,)), Say((strange,)))
    given = [Picture(image=b"good", request_id=name) for name in "abc"]
    a, b, c = in_place(ask("inspect_many", given))
    assert isinstance(a.result, WireError)
    assert type(b.result) is type(c.result) is RemoteError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_flight": 0}, "in_flight: expected 1 or more, found 0"),
        ({"deadline_s": -1.0}, "deadline_s: expected a positive"),
        ({"priority": "first"}, "priority: expected one of"),
    ],
)
def test_limits_out_of_range_are_refused_before_the_first_picture(
    options: dict[str, object], message: str, ask: Ask
) -> None:
    with pytest.raises(SettingsError, match=message):
        ask("inspect_many", [b"good"], **options)


def test_no_more_pictures_are_taken_than_may_be_in_flight(server: FakeServer) -> None:
    taken = 0

    def source() -> Iterator[bytes]:
        nonlocal taken
        for picture in pictures(40):
            taken += 1
            yield picture

    done = 0
    with Client(server.address) as client:
        for _ in client.inspect_many(source(), in_flight=3):
            assert taken - done <= 3
            done += 1
    assert done == 40


@pytest.mark.asyncio
async def test_no_more_pictures_are_taken_than_may_be_in_flight_in_a_loop(server: FakeServer) -> None:
    taken = done = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal taken
        for picture in pictures(40):
            taken += 1
            yield picture

    async with AsyncClient(server.address) as client:
        async for _ in client.inspect_many(source(), in_flight=3):
            assert taken - done <= 4  # one more may be taken while an outcome waits to be fetched
            done += 1
    assert done == 40


@pytest.mark.asyncio
async def test_a_camera_that_is_waited_for_holds_no_answer_back(server: FakeServer) -> None:
    answered = asyncio.Event()

    async def camera() -> AsyncIterator[bytes]:
        yield b"first"
        await answered.wait()  # never, were the second picture needed for the first one's answer
        yield b"second"

    found = []
    async with AsyncClient(server.address) as client:
        async for outcome in client.inspect_many(camera()):
            found.append(outcome)
            answered.set()
    assert labels(found) == ["first", "second"]


def test_answers_are_handed_out_before_the_source_is_exhausted(server: FakeServer) -> None:
    done: list[Outcome] = []
    done_at_third = []

    def source() -> Iterator[bytes]:
        yield b"first"
        time.sleep(0.5)
        yield b"second"
        done_at_third.append(len(done))
        yield b"third"

    with Client(server.address) as client:
        for outcome in client.inspect_many(source()):
            done.append(outcome)  # noqa: PERF402  (the source looks at it meanwhile)
    assert done_at_third == [1]
    assert labels(done) == ["first", "second", "third"]


def test_an_answer_that_came_in_time_is_one_however_long_the_source_waits(server: FakeServer) -> None:
    def source() -> Iterator[bytes]:
        yield b"first"
        time.sleep(0.6)
        yield b"second"

    with Client(server.address) as client:
        assert labels(list(client.inspect_many(source(), deadline_s=0.5))) == ["first", "second"]


def test_an_answer_that_came_in_time_is_one_however_slow_the_caller_is(server: FakeServer) -> None:
    done = []
    with Client(server.address) as client:
        for outcome in client.inspect_many(pictures(3), deadline_s=0.3):
            time.sleep(0.4)
            done.append(outcome)
    assert labels(done) == ["part0", "part1", "part2"]


@pytest.mark.asyncio
async def test_an_answer_that_came_in_time_is_one_however_slow_the_task_is(server: FakeServer) -> None:
    done = []
    async with AsyncClient(server.address) as client:
        async for outcome in client.inspect_many(pictures(3), deadline_s=0.3):
            await asyncio.sleep(0.4)
            done.append(outcome)
    assert labels(done) == ["part0", "part1", "part2"]


@pytest.mark.parametrize("many", [False, True])
def test_what_the_source_raises_ends_the_stream(many: bool, server: FakeServer, ask: Ask) -> None:
    def source() -> Iterator[bytes]:
        yield from pictures(5 if many else 0)
        raise LookupError("the folder is gone")

    with pytest.raises(LookupError, match="the folder is gone"):
        ask("inspect_many", source())


def test_a_stream_that_is_left_early_leaves_no_thread_behind(server: FakeServer) -> None:
    server.script.then(Judge(), *[Silence()] * 10)
    with Client(server.address) as client:
        stream = client.inspect_many(pictures(10), in_flight=4)
        next(stream)
        assert any(thread.name == "loupe-answers" for thread in threading.enumerate())
        stream.close()
        assert not any(thread.name == "loupe-answers" for thread in threading.enumerate())


@pytest.mark.asyncio
async def test_a_stream_that_is_left_early_leaves_no_task_behind(server: FakeServer) -> None:
    server.script.then(Judge(), *[Silence()] * 10)

    async def endless() -> AsyncIterator[bytes]:
        yield b"good"
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with AsyncClient(server.address) as client:
        async with aclosing(client.inspect_many(endless())) as stream:
            await anext(stream)
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == before


def test_a_client_that_is_closed_ends_its_streams(server: FakeServer) -> None:
    server.script.then(Judge(), *[Silence()] * 10)
    client = Client(server.address)
    stream = client.inspect_many(pictures(10), in_flight=4)
    next(stream)
    client.close()
    outcomes: list[Outcome] = []
    with pytest.raises(RemoteError, match="losed"):
        outcomes += stream
    assert not any(thread.name == "loupe-answers" for thread in threading.enumerate())


@pytest.mark.asyncio
async def test_a_client_that_is_closed_ends_its_streams_in_a_loop(server: FakeServer) -> None:
    server.script.then(Judge(), *[Silence()] * 10)
    client = AsyncClient(server.address)
    stream = client.inspect_many(pictures(10), in_flight=4)
    await anext(stream)
    await client.close()
    with pytest.raises(RemoteError, match="closed"):
        async for _ in stream:
            pass


@pytest.mark.parametrize("megabytes", [0, 8])
def test_a_refusal_that_comes_while_a_picture_is_sent_is_not_lost(
    megabytes: int, server: FakeServer, ask: Ask
) -> None:
    server.script.refusal = Refuse(grpc.StatusCode.UNAUTHENTICATED, "who are you")
    with pytest.raises(AuthenticationError, match="who are you"):
        ask("inspect_many", [b"good" + bytes(megabytes << 20)] * 8, deadline_s=20)


def test_a_stream_that_breaks_under_many_messages_is_begun_again(server: FakeServer, ask: Ask) -> None:
    server.script.then(Judge(), HangUp())
    outcomes = ask("inspect_many", [b"good" + bytes(1 << 16)] * 64, in_flight=64)
    assert all(isinstance(outcome.result, Answer) for outcome in in_place(outcomes))
    assert server.script.streams == 2


def test_a_stream_that_keeps_breaking_is_not_opened_without_pause(server: FakeServer) -> None:
    server.script.then(*[HangUp()] * 1000)
    with Client(server.address, backoff=Backoff(first_s=1.0, longest_s=1.0, draw=lambda: 1.0)) as client:
        (outcome,) = client.inspect_many([b"good"], deadline_s=5.0)  # of which a busy machine needs some
    assert isinstance(outcome.result, UnavailableError)
    assert "going down (after 5 attempts)" in str(outcome.result)
    assert server.script.streams == 5
