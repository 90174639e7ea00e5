"""An order is carried out by one worker at a time, survives every one of them, and is never carried out twice."""

from collections import Counter
from datetime import timedelta
from threading import Thread

import pytest

from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_jobs import ImageryJobs, Wanted
from server.storage.imagery_queue import ImageryQueue, LeaseLostError
from server.storage.imagery_tables import AttemptEnd, JobState
from tests.server.storage.images import LEASE, NOON, finish, made, place, take, taken
from vision.errors import StateError
from vision.imagery.review import State


@pytest.fixture
def queue(database: Database) -> ImageryQueue:
    return ImageryQueue(database)


@pytest.fixture
def jobs(database: Database) -> ImageryJobs:
    return ImageryJobs(database)


def test_an_order_that_is_taken_up_is_nobody_elses(database: Database, queue: ImageryQueue) -> None:
    job = place(database)

    work = taken(queue)

    assert (work.lease.job_id, work.lease.attempt) == (job.id, 1)
    assert work.brief == job.brief
    assert [one.state for one in work.candidates] == [State.DRAFT] * 3
    assert take(queue, "two") is None


def test_what_is_finished_is_done_with_its_candidates_and_what_they_took(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    work = taken(queue)

    for number in (1, 2, 3):
        finish(queue, work, number)
    queue.end(work.lease, AttemptEnd.DONE, now=NOON)

    assert jobs.find(job.id).state is JobState.DONE
    assert [one.state for one in jobs.candidates(job.id)] == [State.CHECKED] * 3
    assert jobs.candidate(job.id, 2).master_sha256 == "2" * 64
    assert ImageryBooks(database).seconds(job.id) == {1: 2.0, 2: 2.0, 3: 2.0}
    assert take(queue) is None


def test_a_silent_workers_order_goes_on_elsewhere_where_it_was_left(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    place(database)
    first = taken(queue)
    finish(queue, first, 1)
    queue.made(first.lease, 2, made("2"), now=NOON, spent_s=1.0)

    assert take(queue, "two", at_s=29) is None
    second = taken(queue, "two", at_s=31)

    assert [one.state for one in second.candidates] == [State.CHECKED, State.GENERATED, State.DRAFT]
    assert second.lease.attempt == 2
    assert "worker 'one' was lost" in jobs.find(second.lease.job_id).reason


def test_a_worker_that_was_thought_dead_writes_nothing_any_more(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    first = taken(queue)
    second = taken(queue, "two", at_s=31)

    for write in (
        lambda: queue.beat(first.lease, until=NOON + LEASE, spent_s={1: 99.0}),
        lambda: queue.tell(first.lease, making=1, step=1, steps=4, preview=b"jpeg"),
        lambda: queue.made(first.lease, 1, made(), now=NOON, spent_s=9.0),
        lambda: queue.end(first.lease, AttemptEnd.DONE, now=NOON),
    ):
        with pytest.raises(LeaseLostError, match="expected it to be one's still"):
            write()

    finish(queue, second, 1)
    assert jobs.find(job.id).state is JobState.RUNNING
    assert [one.state for one in jobs.candidates(job.id)] == [State.CHECKED, State.DRAFT, State.DRAFT]
    assert ImageryBooks(database).seconds(job.id) == {1: 2.0}


def test_heartbeats_keep_an_order(database: Database, queue: ImageryQueue) -> None:
    place(database)
    work = taken(queue)

    for second in (20, 40, 60):
        assert not queue.beat(
            work.lease, until=NOON + timedelta(seconds=second) + LEASE, spent_s={1: float(second)}
        )

    assert take(queue, "two", at_s=85) is None
    assert ImageryBooks(database).seconds(work.lease.job_id) == {1: 60.0}


def test_an_order_that_kills_its_workers_fails_after_the_third_and_says_at_what(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    for turn in range(3):
        work = taken(queue, f"w{turn}", at_s=40 * turn)
        queue.tell(work.lease, making=2, step=1, steps=4, preview=None)

    assert take(queue, "w3", at_s=140) is None

    found = jobs.find(job.id)
    assert (found.state, found.attempt, found.failures) == (JobState.FAILED, 3, 3)
    assert (
        found.reason
        == "worker 'w2' was lost while it made candidate 2, or checked the one before; it was the 3. of at most 3"
    )


def test_a_fault_is_tried_again_until_there_were_too_many(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    states = []
    for _ in range(3):
        work = taken(queue)
        queue.end(work.lease, AttemptEnd.FAILED, now=NOON, reason="out of memory", again=True)
        states.append(jobs.find(job.id).state)

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert jobs.find(job.id).reason == "out of memory"
    assert take(queue) is None


def test_an_order_that_gets_on_may_lose_more_workers(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    for turn in range(5):
        work = taken(queue, at_s=40 * turn)
        if turn in {1, 3}:
            finish(queue, work, turn)
    assert (jobs.find(job.id).state, jobs.find(job.id).failures) == (JobState.RUNNING, 1)


def test_what_would_fail_again_fails_at_once(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    queue.end(taken(queue).lease, AttemptEnd.FAILED, now=NOON, reason="photo: no product")
    assert (jobs.find(job.id).state, jobs.find(job.id).reason) == (JobState.FAILED, "photo: no product")


def test_an_order_that_is_given_back_waits_and_nothing_counts_against_it(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    for _ in range(5):
        queue.end(taken(queue).lease, AttemptEnd.RETURNED, now=NOON)
    found = jobs.find(job.id)
    assert (found.state, found.attempt, found.failures) == (JobState.QUEUED, 5, 0)


def test_a_waiting_order_is_cancelled_at_once_and_a_running_one_by_its_worker(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    running = place(database)
    lease = taken(queue).lease
    waiting = place(database)

    assert jobs.cancel(waiting.id, "lee", NOON).state is JobState.CANCELLED
    asked = jobs.cancel(running.id, "lee", NOON)

    assert (asked.state, asked.cancelled_by) == (JobState.RUNNING, "lee")
    assert queue.beat(lease, until=NOON + LEASE, spent_s={})
    queue.end(lease, AttemptEnd.CANCELLED, now=NOON)
    assert jobs.find(running.id).state is JobState.CANCELLED
    assert jobs.cancel(running.id, "ada", NOON).cancelled_by == "lee"
    assert take(queue) is None


def test_cancelling_what_a_lost_worker_was_at_needs_no_other_worker(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    taken(queue)
    assert jobs.cancel(job.id, "lee", NOON + timedelta(seconds=31)).state is JobState.CANCELLED
    assert take(queue, at_s=60) is None


def test_a_cancelled_order_of_a_lost_worker_is_not_taken_up_again(
    database: Database, queue: ImageryQueue, jobs: ImageryJobs
) -> None:
    job = place(database)
    taken(queue)
    jobs.cancel(job.id, "lee", NOON)
    assert take(queue, at_s=31) is None
    assert jobs.find(job.id).state is JobState.CANCELLED


def test_users_take_turns_and_each_ones_oldest_order_comes_first(
    database: Database, queue: ImageryQueue
) -> None:
    for minute in range(3):
        place(database, name=f"kim's {minute}", created_at=NOON + timedelta(minutes=minute))
    place(database, name="lee's", requester="lee", created_at=NOON + timedelta(hours=1))
    names = {job.id: job.name for job in ImageryJobs(database).all(Wanted())}

    order = [names[taken(queue, at_s=second).lease.job_id] for second in range(4)]

    assert order == ["kim's 0", "lee's", "kim's 1", "kim's 2"]


def test_a_worker_takes_only_what_it_can_make(database: Database, queue: ImageryQueue) -> None:
    place(database, generator="studio-64")
    assert take(queue, generators=["grey"]) is None
    assert take(queue, generators=["grey", "studio-64"]) is not None


def test_many_workers_at_once_take_every_order_once(database: Database, queue: ImageryQueue) -> None:
    expected = {place(database).id for _ in range(20)}
    found: list[str] = []

    def work(name: str) -> None:
        while (work := take(queue, name)) is not None:
            found.append(work.lease.job_id)

    workers = [Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    # a worker may leave while the last order is being taken by another, but none is taken twice or left
    while (left := take(queue)) is not None:
        found.append(left.lease.job_id)
    assert Counter(found) == Counter(expected)


def test_a_candidate_is_not_made_twice(database: Database, queue: ImageryQueue) -> None:
    place(database)
    work = taken(queue)
    finish(queue, work, 1)
    with pytest.raises(StateError, match="candidate 1: make: expected it to be draft, found it checked"):
        queue.made(work.lease, 1, made("9"), now=NOON, spent_s=1.0)
