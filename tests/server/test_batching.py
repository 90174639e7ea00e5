"""The queue before a model: order, admission, growth and what leaves it without costing anything."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.batching import Batcher, Cost, Lane, Runs, Served, best_batch, fit_cost
from vision.errors import DeadlineError, LoupeError, OverloadedError

COST = Cost(per_item_s=0.01, per_batch_s=0.01)


class Model:
    """Answers each item with itself; holds a batch until it is let go, and remembers all of them."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.may_run = threading.Event()
        self.may_run.set()

    def run(self, items: list[object]) -> Sequence[object]:
        self.batches.append(items)
        assert self.may_run.wait(5)
        if "poison" in items:
            raise RuntimeError("cannot be run")
        return items


class Rig:
    """A batcher before a `Model`, with places taken as a server takes them."""

    def __init__(self, **changes: object) -> None:
        self.model = Model()
        values = {"cost": COST, "max_batch": 4, "max_waiting": 64} | changes
        runs = Runs(alone=self.model.run, beside=self.model.run, workers=1)
        self.batcher: Batcher[object, object] = Batcher(runs, **values)  # type: ignore[arg-type]

    async def ask(self, item: object, *, within_s: float = 5.0, lane: Lane = Lane.LINE) -> Served[object]:
        deadline = time.monotonic() + within_s
        with self.batcher.admitted(deadline=deadline, lane=lane):
            return await self.batcher.submit(item, deadline=deadline, lane=lane)

    async def occupied(self) -> asyncio.Task[Served[object]]:
        """Have the model busy with one item until `may_run` is set."""
        self.model.may_run.clear()
        first = asyncio.create_task(self.ask("first"))
        while not self.model.batches:
            await asyncio.sleep(0.001)
        return first


@pytest.mark.asyncio
async def test_an_idle_model_answers_at_once_and_alone() -> None:
    rig = Rig()

    served = await rig.ask("part")

    assert (served.answer, served.batch) == ("part", 1)
    assert rig.batcher.inside == 0


@pytest.mark.asyncio
async def test_what_came_while_the_model_was_busy_goes_together() -> None:
    rig = Rig()
    first = await rig.occupied()
    others = [asyncio.create_task(rig.ask(number)) for number in range(6)]
    await asyncio.sleep(0)

    rig.model.may_run.set()

    assert [(await one).answer for one in others] == [*range(6)]
    assert [len(batch) for batch in rig.model.batches] == [1, 4, 2]
    await first


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 50)), max_size=12))
def test_lanes_come_before_deadlines_and_deadlines_before_arrival(
    requests: list[tuple[Lane, int]],
) -> None:
    async def scenario() -> None:
        rig = Rig(max_batch=1)
        first = await rig.occupied()
        tasks = [
            asyncio.create_task(rig.ask((lane, late), within_s=60 + late, lane=lane))
            for lane, late in requests
        ]
        await asyncio.sleep(0)
        rig.model.may_run.set()
        await asyncio.gather(first, *tasks)
        assert [batch[0] for batch in rig.model.batches[1:]] == sorted(requests)

    asyncio.run(scenario())


@pytest.mark.asyncio
async def test_a_request_that_cannot_be_met_is_refused_at_the_door_with_a_hint() -> None:
    rig = Rig(cost=Cost(per_item_s=0.5, per_batch_s=0.5))

    with pytest.raises(OverloadedError, match=r"1\.000 s") as refused:
        await rig.ask("part", within_s=0.8)

    assert refused.value.retry_after_s >= 0.2
    assert not rig.model.batches


@pytest.mark.asyncio
async def test_work_ahead_counts_and_bulk_ahead_of_a_line_does_not() -> None:
    rig = Rig(cost=Cost(per_item_s=0.1, per_batch_s=0.0))
    first = await rig.occupied()
    bulk = [asyncio.create_task(rig.ask(number, lane=Lane.BULK)) for number in range(10)]
    await asyncio.sleep(0)

    with pytest.raises(OverloadedError):
        await rig.ask("bulk", within_s=0.9, lane=Lane.BULK)
    line = asyncio.create_task(rig.ask("line", within_s=0.9))
    await asyncio.sleep(0)
    rig.model.may_run.set()

    assert (await line).answer == "line"
    assert "line" in rig.model.batches[1]
    await asyncio.gather(first, *bulk)


@pytest.mark.asyncio
async def test_a_full_house_refuses_whatever_the_deadline() -> None:
    rig = Rig(max_waiting=3)
    first = await rig.occupied()
    others = [asyncio.create_task(rig.ask(number, within_s=600)) for number in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(OverloadedError, match="3 requests inside"):
        await rig.ask("one more", within_s=600)

    rig.model.may_run.set()
    await asyncio.gather(first, *others)


@pytest.mark.asyncio
async def test_a_request_of_several_items_takes_as_many_places() -> None:
    rig = Rig(max_waiting=5)
    until = time.monotonic() + 600

    with rig.batcher.admitted(deadline=until, lane=Lane.LINE, items=4):
        assert rig.batcher.inside == 4
        with (
            pytest.raises(OverloadedError, match="4 requests inside"),
            rig.batcher.admitted(deadline=until, lane=Lane.LINE, items=2),
        ):
            pass
    with rig.batcher.admitted(deadline=until, lane=Lane.LINE, items=9):  # an empty house takes any
        assert rig.batcher.inside == 9
    assert rig.batcher.inside == 0


@pytest.mark.asyncio
async def test_a_deadline_in_the_past_is_not_even_queued() -> None:
    rig = Rig()

    with pytest.raises(DeadlineError, match="passed"):
        await rig.ask("part", within_s=-1)

    assert not rig.model.batches


@pytest.mark.asyncio
async def test_a_request_whose_time_ran_out_in_the_queue_never_runs() -> None:
    rig = Rig()
    first = await rig.occupied()
    late = asyncio.create_task(rig.ask("late", within_s=0.05))
    await asyncio.sleep(0.08)

    rig.model.may_run.set()

    with pytest.raises(DeadlineError, match="waiting"):
        await late
    await first
    assert rig.model.batches == [["first"]]


@pytest.mark.asyncio
async def test_a_cancelled_request_leaves_the_queue_and_its_place() -> None:
    rig = Rig()
    first = await rig.occupied()
    gone = asyncio.create_task(rig.ask("gone"))
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    rig.model.may_run.set()
    await first
    await rig.ask("next")

    assert rig.model.batches == [["first"], ["next"]]
    assert rig.batcher.inside == 0


@pytest.mark.asyncio
async def test_a_batch_grows_only_while_its_earliest_deadline_can_be_kept() -> None:
    rig = Rig(cost=Cost(per_item_s=0.2, per_batch_s=0.0))
    first = await rig.occupied()
    urgent = asyncio.create_task(rig.ask("urgent", within_s=0.45))
    calm = [asyncio.create_task(rig.ask(number, within_s=60)) for number in range(3)]
    await asyncio.sleep(0)

    rig.model.may_run.set()
    await asyncio.gather(first, urgent, *calm)

    assert rig.model.batches[1] == ["urgent", 0]


@pytest.mark.asyncio
async def test_a_failed_run_fails_its_own_batch_alone() -> None:
    rig = Rig()
    first = await rig.occupied()
    poisoned = [asyncio.create_task(rig.ask(item)) for item in ("poison", "beside it")]
    await asyncio.sleep(0)
    rig.model.may_run.set()

    outcomes = await asyncio.gather(*poisoned, return_exceptions=True)

    assert all(isinstance(outcome, LoupeError) for outcome in outcomes)
    assert (await rig.ask("next")).answer == "next"
    await first


@pytest.mark.asyncio
async def test_closing_answers_what_is_inside_and_refuses_what_is_new() -> None:
    rig = Rig()
    first = await rig.occupied()
    closing = asyncio.create_task(rig.batcher.close())
    await asyncio.sleep(0)

    with pytest.raises(OverloadedError):
        await rig.ask("too late")
    rig.model.may_run.set()
    await closing

    assert (await first).answer == "first"


@pytest.mark.asyncio
async def test_a_machine_that_is_slower_than_measured_admits_less() -> None:
    def run(items: list[str]) -> list[str]:
        time.sleep(0.05)
        return items

    cost = Cost(per_item_s=0.001, per_batch_s=0.001)
    slow = Batcher(Runs(alone=run, beside=run, workers=1), cost=cost, max_batch=4, max_waiting=9)
    before = slow.expected_s(Lane.LINE)

    for _ in range(5):
        await slow.submit("part", deadline=time.monotonic() + 5, lane=Lane.LINE)

    assert slow.expected_s(Lane.LINE) > 3 * before


@pytest.mark.asyncio
async def test_a_stall_does_not_shut_the_door_on_whoever_finds_the_house_empty() -> None:
    stalls = iter([0.5])

    def run(items: list[object]) -> list[object]:
        time.sleep(next(stalls, 0))
        return items

    rig = Rig()
    cost = Cost(per_item_s=0.02, per_batch_s=0.0)
    rig.batcher = Batcher(Runs(alone=run, beside=run, workers=1), cost=cost, max_batch=1, max_waiting=64)
    await rig.ask("stalled")
    just_enough = 1.5 * cost.of(1)
    assert rig.batcher.expected_s(Lane.LINE) > just_enough, "the stall was learned"

    assert (await rig.ask("next", within_s=just_enough)).answer == "next"


@pytest.mark.asyncio
async def test_a_backlog_that_drained_slowly_closes_the_door_earlier_but_never_for_good() -> None:
    def run(items: list[object]) -> list[object]:
        time.sleep(0.02)
        return items

    rig = Rig()
    cost = Cost(per_item_s=0.005, per_batch_s=0.0)
    rig.batcher = Batcher(Runs(alone=run, beside=run, workers=1), cost=cost, max_batch=1, max_waiting=64)

    await asyncio.gather(*(rig.ask(number) for number in range(20)))
    outcomes = await asyncio.gather(
        *(rig.ask(number, within_s=0.2) for number in range(20)), return_exceptions=True
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, OverloadedError)]
    assert len(refused) >= 5  # 20 x 0.02 s do not fit into 0.2 s; by the measured cost they would
    assert (await rig.ask("when nothing is ahead", within_s=0.2)).answer


@pytest.mark.asyncio
async def test_a_lone_batch_has_all_cores_and_several_run_side_by_side() -> None:
    alone, beside = Model(), Model()
    alone.may_run.clear()
    runs = Runs(alone=alone.run, beside=beside.run, workers=2)
    batcher = Batcher(runs, cost=COST, max_batch=1, max_waiting=9)
    deadline = time.monotonic() + 5

    first = asyncio.create_task(batcher.submit("first", deadline=deadline, lane=Lane.LINE))
    await asyncio.sleep(0)
    others = [await batcher.submit(number, deadline=deadline, lane=Lane.LINE) for number in range(2)]
    alone.may_run.set()

    assert [one.answer for one in others] == [0, 1]  # answered while the first one ran
    assert (await first).answer == "first"
    assert (alone.batches, beside.batches) == ([["first"]], [[0], [1]])


@given(
    per_item=st.floats(0.001, 1),
    per_batch=st.floats(0.001, 1),
    sizes=st.sets(st.integers(1, 16), min_size=2),
)
def test_the_cost_is_read_from_timed_batches(per_item: float, per_batch: float, sizes: set[int]) -> None:
    cost = fit_cost({size: per_item * size + per_batch for size in sizes})

    for size in (1, 8, 16):
        assert cost.of(size) == pytest.approx(per_item * size + per_batch, rel=1e-6)


def test_a_batch_that_takes_no_longer_than_one_item_still_costs_something_each() -> None:
    cost = fit_cost({1: 0.02, 2: 0.019, 4: 0.018})

    assert cost.per_item_s > 0
    assert cost.per_batch_s >= 0


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 0.010, 2: 0.016, 4: 0.028, 8: 0.050}, 8),  # each larger batch is cheaper an item
        ({1: 0.010, 2: 0.021, 4: 0.050, 8: 0.120}, 1),  # none is
        ({1: 0.010, 2: 0.016, 4: 0.033, 8: 0.068}, 2),  # what is gained after two is noise
        ({1: 0.020, 2: 0.040, 4: 0.080}, 2),  # the model gains nothing, but every batch is handed over
    ],
)
def test_batches_grow_only_as_far_as_it_pays(seconds: dict[int, float], best: int) -> None:
    assert best_batch(seconds) == best
