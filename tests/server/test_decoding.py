"""The order before the decoders, and that nobody who leaves takes a place along."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from server.batching import Lane
from server.decoding import DecodePool
from vision.errors import DeadlineError, ImageError

LATER_S = 60.0


class Rig:
    """A pool whose work holds until it is let go, and that remembers what was begun."""

    def __init__(self, workers: int = 1) -> None:
        self.pool = DecodePool(workers)
        self.begun: list[object] = []
        self.may_run = threading.Event()

    async def run(self, item: object, *, within_s: float = LATER_S, lane: Lane = Lane.LINE) -> object:
        def work() -> object:
            self.begun.append(item)
            assert self.may_run.wait(LATER_S)
            return item

        return await self.pool.run(work, deadline=time.monotonic() + within_s, lane=lane)

    async def begun_with(self, *items: object) -> "list[asyncio.Task[object]]":
        """Have workers busy with these."""
        tasks = [asyncio.create_task(self.run(item)) for item in items]
        while len(self.begun) < len(items):
            await asyncio.sleep(0.001)
        return tasks


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    found = Rig()
    yield found
    found.may_run.set()
    found.pool.close()


@pytest.mark.asyncio
async def test_work_runs_beside_the_event_loop_and_its_result_comes_back(rig: Rig) -> None:
    rig.may_run.set()
    ran_in: list[str] = []

    await rig.pool.run(
        lambda: ran_in.append(threading.current_thread().name),
        deadline=time.monotonic() + LATER_S,
        lane=Lane.LINE,
    )

    assert ran_in[0].startswith("decode")
    assert await rig.run("part") == "part"


@pytest.mark.asyncio
async def test_an_error_reaches_its_caller_alone_and_gives_the_place_back(rig: Rig) -> None:
    rig.may_run.set()

    def fail() -> None:
        raise ImageError("part.png: no picture")

    with pytest.raises(ImageError, match=r"part\.png"):
        await rig.pool.run(fail, deadline=time.monotonic() + LATER_S, lane=Lane.LINE)

    assert await rig.run("next") == "next"


@pytest.mark.asyncio
async def test_no_more_run_at_once_than_there_are_workers() -> None:
    rig = Rig(workers=3)
    tasks = await rig.begun_with(1, 2, 3)
    waiting = [asyncio.create_task(rig.run(number)) for number in (4, 5)]
    await asyncio.sleep(0.02)
    begun = len(rig.begun)

    rig.may_run.set()
    await asyncio.gather(*tasks, *waiting)

    assert begun == 3
    assert sorted(map(str, rig.begun)) == ["1", "2", "3", "4", "5"]
    rig.pool.close()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 50)), max_size=12))
def test_lanes_come_before_deadlines_and_deadlines_before_arrival(requests: list[tuple[Lane, int]]) -> None:
    async def scenario() -> None:
        rig = Rig()
        first = await rig.begun_with("first")
        waiting = [
            asyncio.create_task(rig.run((lane, late), within_s=LATER_S + late, lane=lane))
            for lane, late in requests
        ]
        await asyncio.sleep(0)
        rig.may_run.set()
        await asyncio.gather(*first, *waiting)
        assert rig.begun[1:] == sorted(requests)
        rig.pool.close()

    asyncio.run(scenario())


@pytest.mark.asyncio
async def test_what_is_too_late_when_its_turn_comes_costs_nothing(rig: Rig) -> None:
    first = await rig.begun_with("first")
    late = asyncio.create_task(rig.run("late", within_s=0.02))
    next_one = asyncio.create_task(rig.run("next"))
    await asyncio.sleep(0.05)

    rig.may_run.set()

    with pytest.raises(DeadlineError, match="before the picture could be decoded"):
        await late
    assert await next_one == "next"
    await asyncio.gather(*first)
    assert rig.begun == ["first", "next"]


@pytest.mark.asyncio
async def test_who_leaves_while_waiting_costs_nothing_and_holds_up_nobody(rig: Rig) -> None:
    first = await rig.begun_with("first")
    gone = asyncio.create_task(rig.run("gone"))
    next_one = asyncio.create_task(rig.run("next"))
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    rig.may_run.set()

    assert await next_one == "next"
    await asyncio.gather(*first)
    assert rig.begun == ["first", "next"]


@pytest.mark.asyncio
async def test_who_leaves_in_the_moment_its_turn_comes_passes_it_on(rig: Rig) -> None:
    first = await rig.begun_with("first")
    gone = asyncio.create_task(rig.run("gone"))
    next_one = asyncio.create_task(rig.run("next"))
    await asyncio.sleep(0)

    rig.may_run.set()
    while len(rig.pool._waiting) == 2:  # until the place has gone on to "gone", which has not run since
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    assert await asyncio.wait_for(next_one, LATER_S) == "next"
    assert await rig.run("last") == "last"
    assert rig.begun == ["first", "next", "last"]
    await asyncio.gather(*first)


@pytest.mark.asyncio
async def test_who_leaves_while_its_picture_is_decoded_gives_the_place_back(rig: Rig) -> None:
    (running,) = await rig.begun_with("running")

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    rig.may_run.set()

    assert await asyncio.wait_for(rig.run("next"), LATER_S) == "next"


@pytest.mark.asyncio
async def test_a_line_goes_first_also_behind_a_picture_that_nobody_waits_for_any_more(rig: Rig) -> None:
    (running,) = await rig.begun_with("running")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    bulk = asyncio.create_task(rig.run("bulk", lane=Lane.BULK))
    await asyncio.sleep(0)
    line = asyncio.create_task(rig.run("line", lane=Lane.LINE))
    await asyncio.sleep(0.01)
    rig.may_run.set()
    await asyncio.gather(bulk, line)

    assert rig.begun == ["running", "line", "bulk"]
