"""A station wakes when a part is due, not up to a millisecond later."""

import asyncio

import pytest

from edge.clockwork import awake_at, exact_loop
from tests.edge.world import simulated


def test_a_timer_of_a_station_is_not_rounded_up_to_milliseconds() -> None:
    async def lateness() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.sleep(1.2e-3)  # a loop that counts in milliseconds sleeps two
        return loop.time() - started - 1.2e-3

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        assert min(runner.run(lateness()) for _ in range(100)) < 0.5e-3


def test_what_happens_meanwhile_is_heard_at_once() -> None:
    async def told() -> str:
        loop = asyncio.get_running_loop()
        heard = loop.create_future()
        loop.run_in_executor(None, lambda: loop.call_soon_threadsafe(heard.set_result, "here"))
        return await asyncio.wait_for(heard, 30.0)

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        assert runner.run(told()) == "here"


@pytest.mark.parametrize("after_s", [0.0, 2e-5, 4e-4, 1e-3, 0.25])
def test_waiting_ends_at_the_moment_and_never_before(after_s: float) -> None:
    async def ended() -> float:
        loop = asyncio.get_running_loop()
        moment = loop.time() + after_s
        await awake_at(moment)
        return loop.time() - moment

    assert 0.0 <= simulated(ended()) < 1e-6


def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    async def ended() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1.0)
        before = loop.time()
        await awake_at(0.5)
        return loop.time() - before

    assert simulated(ended()) == 0.0
