"""A worker makes what is ordered, keeps every finished candidate, and turns whatever goes wrong into the order's state."""

import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from server.imagery.worker import Habits, Worker
from server.storage.blobs import Blobs
from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs, Job
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import AttemptEnd, JobState
from tests.server.imagery.parts import GreySitting, GreyStudio, brief, photo
from tests.server.storage.images import order
from vision.errors import (
    DeviceError,
    LoupeError,
    MissingExtraError,
    RefusedError,
    SettingsError,
)
from vision.image import decode
from vision.imagery.brief import Brief
from vision.imagery.manifest import Manifest
from vision.imagery.review import Act, State

HABITS = Habits(name="one", lease_s=2.0, poll_s=0.02, once=True)


@dataclass
class World:
    """A database, pictures, and whoever works on them."""

    database: Database
    blobs: Blobs

    def __post_init__(self) -> None:
        self.jobs, self.queue = ImageryJobs(self.database), ImageryQueue(self.database)
        self.leaving = threading.Event()

    def place(self, *, data: bytes | None = None, **changes: object) -> Job:
        asked = brief(**changes)
        sent = self.blobs.put(photo() if data is None else data)
        placed = order(
            brief=asked.model_dump(mode="json"), generator=asked.generator, count=asked.count, photo_sha256=sent,
            created_at=datetime.now(UTC),
        )  # fmt: skip
        return self.jobs.place(placed)[0]

    def work(
        self, studio: GreyStudio, told: Callable[[AttemptEnd], None] = lambda _: None, **habits: object
    ) -> Counter[AttemptEnd]:
        return Worker(
            self.queue, self.blobs, studio, replace(HABITS, **habits), self.leaving  # type: ignore[arg-type]
        ).run(lambda _, end: told(end))  # fmt: skip

    def states(self, job: Job) -> list[State]:
        return [one.state for one in self.jobs.candidates(job.id)]


@pytest.fixture
def world(database: Database, blobs: Blobs) -> World:
    return World(database, blobs)


def test_what_is_ordered_is_made_checked_and_kept(world: World) -> None:
    job = world.place()

    assert world.work(GreyStudio()) == {AttemptEnd.DONE: 1}

    assert world.jobs.find(job.id).state is JobState.DONE
    assert world.states(job) == [State.CHECKED] * 3
    second = world.jobs.candidate(job.id, 2)
    manifest = Manifest.model_validate_json(second.manifest)
    assert manifest.canonical().decode() == second.manifest
    assert manifest.number == 2
    assert [report["rule_set"] for report in second.reports] == ["bright", "square"]
    assert second.facts == {"cutout": "all of it", "quality": 1.0, "warnings": []}
    assert second.master_sha256 is not None
    assert decode(world.blobs.get(second.master_sha256)).size_wh == (256, 256)
    for sha256 in (second.preview_sha256, second.difference_sha256, second.alpha_sha256):
        assert sha256 is not None
        assert world.blobs.get(sha256)
    told = ImageryEvents(world.database).of(job.id, 2)
    assert [(event.act, event.digest) for _, event in told] == [
        (Act.MAKE, manifest.digest()),
        (Act.CHECK, ""),
    ]
    assert ImageryBooks(world.database).costs(job.id).candidates == 3


def test_every_second_spent_is_put_down_to_its_candidate(world: World) -> None:
    job = world.place(count=2)
    world.work(GreyStudio(steps=2, step_s=0.1))
    spent = ImageryBooks(world.database).seconds(job.id)
    assert spent.keys() == {1, 2}
    assert all(0.2 <= seconds < 5 for seconds in spent.values())


def test_a_candidate_is_checked_while_the_next_one_is_made_and_no_second_counts_twice(world: World) -> None:
    job, second_begun = world.place(count=2), threading.Event()
    waited: list[bool] = []

    def at_step(number: int, step: int) -> None:
        if (number, step) == (2, 4):
            second_begun.set()

    began = time.monotonic()
    world.work(GreyStudio(step_s=0.1, at_step=at_step, at_check=lambda: waited.append(second_begun.wait(20))))

    assert waited == [True, True]
    assert world.states(job) == [State.CHECKED] * 2
    assert sum(ImageryBooks(world.database).seconds(job.id).values()) <= time.monotonic() - began


def test_a_check_that_fails_costs_a_turn_and_not_what_was_made_meanwhile(world: World) -> None:
    job, faults = world.place(count=2), iter([ZeroDivisionError("once")])

    def fail_once() -> None:
        for fault in faults:
            raise fault

    studio = GreyStudio(at_check=fail_once)
    assert world.work(studio) == {AttemptEnd.FAILED: 1, AttemptEnd.DONE: 1}
    assert studio.made == [1, 2]
    assert world.states(job) == [State.CHECKED] * 2


def test_an_order_cancelled_while_a_check_fails_is_cancelled(world: World) -> None:
    job, cancelled = world.place(count=2), threading.Event()

    def cancel(number: int, step: int) -> None:
        if (number, step) == (2, 2):
            world.jobs.cancel(job.id, "lee", datetime.now(UTC))
            time.sleep(HABITS.lease_s / 2)  # the heartbeat brings it
            cancelled.set()

    def fail() -> None:
        cancelled.wait(20)
        raise ZeroDivisionError("the check's own")

    assert world.work(GreyStudio(at_step=cancel, at_check=fail)) == {AttemptEnd.CANCELLED: 1}
    assert world.jobs.find(job.id).state is JobState.CANCELLED


def test_what_was_being_made_is_let_go_where_a_check_has_failed(world: World) -> None:
    world.place(count=1)
    watched: list[weakref.ref[object]] = []
    alive_when_cleared: list[bool] = []

    class Watched(GreyStudio):
        @override
        def sit(
            self, photo: bytes, mask: bytes | None, brief: Brief, style: bytes | None = None
        ) -> GreySitting:
            sitting = super().sit(photo, mask, brief, style)
            watched.append(weakref.ref(sitting.product_hwc))
            return sitting

        @override
        def clear(self) -> None:
            alive_when_cleared.append(watched[-1]() is not None)

    def fail() -> None:
        raise LoupeError("the check's own")

    gc.disable()
    try:
        world.work(Watched(at_check=fail))
    finally:
        gc.enable()

    assert alive_when_cleared
    assert not any(alive_when_cleared)


def test_a_worker_that_leaves_finishes_the_check_that_it_is_at(world: World) -> None:
    job = world.place(count=2)

    def leave(number: int, step: int) -> None:
        if number == 2:
            world.leaving.set()

    assert world.work(GreyStudio(at_step=leave, at_check=lambda: time.sleep(0.5))) == {AttemptEnd.RETURNED: 1}
    assert world.states(job) == [State.CHECKED, State.DRAFT]


def test_progress_and_previews_are_told_while_it_works(world: World) -> None:
    job, seen = world.place(count=1), []

    def look(number: int, step: int) -> None:
        found = world.jobs.find(job.id)
        seen.append((found.making, found.step, found.steps, bool(world.jobs.preview(job.id))))

    world.work(GreyStudio(steps=3, step_s=0.6, at_step=look))

    assert seen == [(0, 0, 0, False), (1, 1, 3, True), (1, 2, 3, True)]
    assert decode(world.jobs.preview(job.id) or photo()).size_wh == (40, 40)  # gone with the end


def test_steps_that_come_too_quickly_are_left_out_but_not_the_last(world: World) -> None:
    job = world.place(count=1)
    world.work(GreyStudio(steps=200))
    assert world.jobs.find(job.id).revision < 12


def test_a_worker_that_leaves_gives_its_order_back_with_what_was_finished(world: World) -> None:
    job = world.place()

    def leave(number: int, step: int) -> None:
        if number == 2:
            world.leaving.set()

    assert world.work(GreyStudio(at_step=leave)) == {AttemptEnd.RETURNED: 1}
    assert world.jobs.find(job.id).state is JobState.QUEUED
    assert world.states(job) == [State.CHECKED, State.DRAFT, State.DRAFT]

    world.leaving.clear()
    next_one = GreyStudio()
    assert world.work(next_one) == {AttemptEnd.DONE: 1}
    assert next_one.made == [2, 3]


def test_an_order_cancelled_in_the_middle_of_a_step_stops_at_the_next(world: World) -> None:
    job, steps = world.place(count=2), []

    def cancel(number: int, step: int) -> None:
        steps.append((number, step))
        if (number, step) == (2, 2):
            world.jobs.cancel(job.id, "lee", datetime.now(UTC))

    # a heartbeat comes once in half a second here, and hears of it
    assert world.work(GreyStudio(steps=5, step_s=0.4, at_step=cancel)) == {AttemptEnd.CANCELLED: 1}

    found = world.jobs.find(job.id)
    assert (found.state, found.cancelled_by, found.making) == (JobState.CANCELLED, "lee", 0)
    assert world.states(job) == [State.CHECKED, State.DRAFT]
    assert steps[-1][1] < 5


def test_a_photo_that_is_none_fails_its_order_at_once_and_says_why(world: World) -> None:
    job, good = world.place(data=b"no picture at all"), world.place()

    assert world.work(GreyStudio()) == {AttemptEnd.FAILED: 1, AttemptEnd.DONE: 1}

    found = world.jobs.find(job.id)
    assert (found.state, found.attempt) == (JobState.FAILED, 1)
    assert "expected one of JPEG" in found.reason
    assert world.jobs.find(good.id).state is JobState.DONE


def test_an_order_for_a_scene_model_that_this_worker_has_not_is_left_to_another(world: World) -> None:
    job, own = world.place(generator="studio-9000"), world.place()

    assert world.work(GreyStudio()) == {AttemptEnd.DONE: 1}
    assert world.jobs.find(own.id).state is JobState.DONE
    assert world.jobs.find(job.id).attempt == 0

    assert world.work(GreyStudio(generators=("studio-9000",))) == {AttemptEnd.DONE: 1}
    assert world.jobs.find(job.id).state is JobState.DONE


def test_no_memory_is_said_tried_again_and_bounded_and_what_was_made_stays(world: World) -> None:
    job = world.place()

    def grow(number: int, step: int) -> None:
        if number == 2:
            np.empty(1 << 60, np.uint8)

    studio = GreyStudio(at_step=grow)
    assert world.work(studio) == {AttemptEnd.FAILED: 3}

    found = world.jobs.find(job.id)
    assert (found.state, found.failures) == (JobState.FAILED, 3)
    assert found.reason == "out of memory"
    assert studio.cleared == 3
    assert studio.made == [1]
    assert world.states(job) == [State.CHECKED, State.DRAFT, State.DRAFT]


def test_a_candidate_that_the_models_checker_refuses_costs_no_other_and_is_told(world: World) -> None:
    job = world.place()

    def refuse(number: int, step: int) -> None:
        if number == 2:
            raise RefusedError("seed 101: the checker objects")

    assert world.work(GreyStudio(at_step=refuse)) == {AttemptEnd.DONE: 1}

    found = world.jobs.find(job.id)
    assert (found.state, found.reason) == (JobState.DONE, "candidate 2: seed 101: the checker objects")
    assert world.states(job) == [State.CHECKED, State.DRAFT, State.CHECKED]
    assert ImageryBooks(world.database).seconds(job.id).keys() == {1, 2, 3}


def test_a_fault_that_is_not_ours_is_told_without_its_words_which_may_hold_paths(world: World) -> None:
    job = world.place(count=1)

    def fail(number: int, step: int) -> None:
        raise ZeroDivisionError("/srv/secret/place")

    assert world.work(GreyStudio(at_step=fail)) == {AttemptEnd.FAILED: 3}
    assert world.jobs.find(job.id).reason == "ZeroDivisionError; the worker's log has the rest"


def test_a_fault_that_passes_costs_one_turn(world: World) -> None:
    job, faults = world.place(count=1), iter([ZeroDivisionError("once")])

    def fail_once(number: int, step: int) -> None:
        for fault in faults:
            raise fault

    assert world.work(GreyStudio(at_step=fail_once)) == {AttemptEnd.FAILED: 1, AttemptEnd.DONE: 1}
    assert world.jobs.find(job.id).state is JobState.DONE


def test_an_outage_of_the_pictures_costs_an_order_nothing_and_is_waited_for(
    world: World, tmp_path: Path
) -> None:
    job, folder, ends = world.place(count=1), tmp_path / "imagery", list[AttemptEnd]()
    folder.rename(tmp_path / "elsewhere")
    folder.write_bytes(b"no folder")

    def told(end: AttemptEnd) -> None:
        ends.append(end)
        if len(ends) == 4:
            assert "picture" in world.jobs.find(job.id).reason
            folder.unlink()
            (tmp_path / "elsewhere").rename(folder)

    began = time.monotonic()
    world.work(GreyStudio(), told)

    assert ends == [AttemptEnd.RETURNED] * 4 + [AttemptEnd.DONE]
    assert time.monotonic() - began >= (1 + 2 + 4 + 8) * HABITS.poll_s
    found = world.jobs.find(job.id)
    assert (found.state, found.failures, found.reason) == (JobState.DONE, 0, "")


def test_a_damaged_photo_fails_its_order_once_that_was_tried_again(world: World, tmp_path: Path) -> None:
    job = world.place(count=1)
    (kept,) = (tmp_path / "imagery").glob("??/??/*")
    kept.write_bytes(b"another picture")

    assert world.work(GreyStudio()) == {AttemptEnd.FAILED: 3}

    found = world.jobs.find(job.id)
    assert found.state is JobState.FAILED
    assert "expected bytes with this sha256" in found.reason


@pytest.mark.parametrize(
    "fault",
    [
        DeviceError("cuda: expected a GPU, found none"),
        MissingExtraError("diffusion", "torch"),
        SettingsError("dtype: expected float32, found float23"),
    ],
)
def test_what_one_worker_lacks_is_not_put_down_to_the_order(world: World, fault: LoupeError) -> None:
    job = world.place(count=1)

    def fail(number: int, step: int) -> None:
        raise fault

    def leave(end: AttemptEnd) -> None:
        if world.jobs.find(job.id).attempt == 4:
            world.leaving.set()

    assert world.work(GreyStudio(at_step=fail), leave) == {AttemptEnd.RETURNED: 4}
    found = world.jobs.find(job.id)
    assert (found.state, found.failures, found.reason) == (JobState.QUEUED, 0, str(fault))


def test_a_worker_whose_order_was_taken_writes_nothing_more_of_it(world: World) -> None:
    job = world.place(count=1)

    def another_takes_it(number: int, step: int) -> None:
        if step == 2:
            later = datetime.now(UTC) + timedelta(minutes=5)
            work = world.queue.take(worker="two", device="cpu", now=later, lease=timedelta(minutes=1))
            assert work is not None

    assert world.work(GreyStudio(step_s=0.3, at_step=another_takes_it)) == {AttemptEnd.LOST: 1}
    assert world.states(job) == [State.DRAFT]
    assert world.jobs.find(job.id).worker == "two"


def test_what_was_made_and_not_checked_is_only_checked(world: World) -> None:
    job, faults = world.place(count=1), iter([ZeroDivisionError("once")])

    def fail_once() -> None:
        for fault in faults:
            raise fault

    studio = GreyStudio(at_check=fail_once)
    assert world.work(studio) == {AttemptEnd.FAILED: 1, AttemptEnd.DONE: 1}
    assert studio.made == [1]
    assert world.states(job) == [State.CHECKED]
    told = ImageryEvents(world.database).of(job.id)
    assert [event.act for _, event in told] == [Act.MAKE, Act.CHECK]


def test_workers_side_by_side_share_the_orders_and_make_each_candidate_once(world: World) -> None:
    jobs = [world.place(count=2) for _ in range(6)]
    studios = [GreyStudio(step_s=0.002) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda one=one, name=name: world.work(one, name=f"w{name}"))
        for name, one in enumerate(studios)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert all(world.jobs.find(job.id).state is JobState.DONE for job in jobs)
    assert sum(len(one.made) for one in studios) == 12
    assert ImageryBooks(world.database).costs().candidates == 12
