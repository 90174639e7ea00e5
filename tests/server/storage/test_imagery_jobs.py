"""Orders are placed once, looked up, listed and told of; what happens to their candidates is kept for good."""

from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import Connection

from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks, Waiver, waived
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs, Wanted
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import JobState
from tests.server.storage.images import NOON, finish, order, place, taken
from vision.errors import InputError, NotFoundError, PermissionDeniedError, StateError, StorageError
from vision.imagery.review import Act, Event, State


@pytest.fixture
def jobs(database: Database) -> ImageryJobs:
    return ImageryJobs(database)


@pytest.fixture
def events(database: Database) -> ImageryEvents:
    return ImageryEvents(database)


def test_an_order_comes_back_as_it_was_placed(jobs: ImageryJobs) -> None:
    asked = order(request_id="r1")

    job, repeated = jobs.place(asked)

    assert not repeated
    assert jobs.find(job.id) == job
    assert (job.state, job.brief, job.policy) == (JobState.QUEUED, asked.brief, asked.policy)
    assert [(one.number, one.state) for one in jobs.candidates(job.id)] == [
        (n, State.DRAFT) for n in (1, 2, 3)
    ]


def test_the_same_request_is_one_order_and_another_under_its_id_is_refused(jobs: ImageryJobs) -> None:
    first, _ = jobs.place(order(request_id="r1"))

    again, repeated = jobs.place(order(request_id="r1"))
    assert (again.id, repeated) == (first.id, True)
    assert not jobs.place(order(request_id="r1", requester="lee"))[1]
    with pytest.raises(InputError, match="request_id 'r1': expected the content it was first used with"):
        jobs.place(order(request_id="r1", payload_sha256="1" * 64))
    assert len(jobs.all(Wanted(requester="kim"))) == 1


def test_requests_without_an_id_are_an_order_each(jobs: ImageryJobs) -> None:
    assert jobs.place(order())[0].id != jobs.place(order())[0].id


def test_the_same_request_at_the_same_time_is_one_order(jobs: ImageryJobs) -> None:
    found: list[tuple[str, bool]] = []

    def place_it() -> None:
        job, repeated = jobs.place(order(request_id="r1"))
        found.append((job.id, repeated))

    callers = [Thread(target=place_it) for _ in range(6)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()

    assert len({job_id for job_id, _ in found}) == 1
    assert sorted(repeated for _, repeated in found) == [False] + [True] * 5


def test_jobs_are_listed_the_newest_first_and_page_by_page(database: Database, jobs: ImageryJobs) -> None:
    placed = [place(database, name=str(n), created_at=NOON + timedelta(minutes=n // 2)) for n in range(5)]

    first = jobs.all(Wanted(limit=2))
    last = first[-1]
    rest = jobs.all(Wanted(before=(last.created_at, last.id)))

    assert [one.id for one in first + rest] == [
        one.id for one in sorted(placed, key=lambda job: (job.created_at, job.id), reverse=True)
    ]


def test_jobs_are_listed_by_what_they_hold(
    database: Database, jobs: ImageryJobs, events: ImageryEvents
) -> None:
    job, other = place(database), place(database, requester="lee")
    queue = ImageryQueue(database)
    for work in (taken(queue), taken(queue)):
        finish(queue, work, 1)
    events.add(job.id, 1, Event(act=Act.PROPOSE, at=NOON, by="kim"))

    assert [one.id for one in jobs.all(Wanted(holding=State.IN_REVIEW))] == [job.id]
    assert [one.id for one in jobs.all(Wanted(requester="lee"))] == [other.id]
    assert jobs.all(Wanted(state=JobState.DONE)) == []
    assert jobs.states([job.id, other.id])[job.id] == [State.IN_REVIEW, State.DRAFT, State.DRAFT]


def test_what_is_not_there_is_said_with_what_is(database: Database, jobs: ImageryJobs) -> None:
    job = place(database)
    with pytest.raises(NotFoundError, match="job 'nowhere': expected one of this server, found none"):
        jobs.find("nowhere")
    with pytest.raises(NotFoundError, match="candidate: expected 1 to 3, found 4"):
        jobs.candidate(job.id, 4)
    with pytest.raises(NotFoundError, match="job 'nowhere'"):
        jobs.cancel("nowhere", "kim", NOON)
    assert jobs.revision("nowhere") == 0


def test_every_change_is_noticed_by_the_revision(
    database: Database, jobs: ImageryJobs, events: ImageryEvents
) -> None:
    job, queue = place(database), ImageryQueue(database)
    seen = [jobs.revision(job.id)]

    work = taken(queue)
    seen.append(jobs.revision(job.id))
    queue.tell(work.lease, making=1, step=2, steps=4, preview=b"jpeg")
    seen.append(jobs.revision(job.id))
    assert jobs.preview(job.id) == b"jpeg"
    finish(queue, work, 1)
    seen.append(jobs.revision(job.id))
    events.add(job.id, 1, Event(act=Act.PROPOSE, at=NOON, by="kim"))
    seen.append(jobs.revision(job.id))
    jobs.cancel(job.id, "kim", NOON)
    seen.append(jobs.revision(job.id))

    assert seen == sorted(set(seen))


def test_what_happened_is_kept_in_order_and_what_may_not_happen_has_not(
    database: Database, jobs: ImageryJobs, events: ImageryEvents
) -> None:
    job, queue = place(database), ImageryQueue(database)
    finish(queue, taken(queue), 1)
    events.add(job.id, 1, Event(act=Act.PROPOSE, at=NOON, by="kim", reason=" the best "))

    for refused in (
        Event(act=Act.APPROVE, at=NOON, by="kim", digest="d" * 64),
        Event(act=Act.EXPORT, at=NOON, by="kim", digest="d" * 64),
        Event(act=Act.REJECT, at=NOON, by="ada"),
    ):
        with pytest.raises((PermissionDeniedError, StateError, InputError)):
            events.add(job.id, 1, refused)
    approved = events.add(job.id, 1, Event(act=Act.APPROVE, at=NOON, by="ada", digest="d" * 64))

    assert (approved.state, approved.digest, approved.approved_by) == (State.APPROVED, "d" * 64, "ada")
    assert jobs.candidate(job.id, 1) == approved
    told = [(event.act, event.by, event.reason) for _, event in events.of(job.id, 1)]
    assert told == [
        (Act.MAKE, "one", ""),
        (Act.CHECK, "one", ""),
        (Act.PROPOSE, "kim", "the best"),
        (Act.APPROVE, "ada", ""),
    ]
    assert events.of(job.id, 2) == []
    with pytest.raises(NotFoundError, match="expected a candidate 7"):
        events.add(job.id, 7, Event(act=Act.PROPOSE, at=NOON, by="kim"))


def test_an_order_and_what_rests_on_it_are_kept_together_or_not_at_all(database: Database) -> None:
    jobs, calls = ImageryJobs(database), list[Connection]()

    def fail(connection: Connection) -> None:
        raise StorageError("disk full")

    with pytest.raises(StorageError, match="disk full"):
        jobs.place(order(request_id="once"), fail)
    assert jobs.all(Wanted()) == []

    assert jobs.place(order(request_id="once"), calls.append)[1] is False
    assert jobs.place(order(request_id="once"), calls.append)[1] is True
    assert len(calls) == 1


def test_waivers_are_kept_with_who_why_and_until_when(database: Database) -> None:
    job, books = place(database), ImageryBooks(database)
    waiver = Waiver(
        job_id=job.id, at=NOON, by_user="kim", reason="主图无文字", keep_until=NOON + timedelta(days=200)
    )
    with database.writing() as connection:
        waived(connection, waiver)
        waived(connection, replace(waiver, job_id="0" * 32))
    assert books.waivers(job.id) == [waiver]


def test_costs_count_lost_turns_as_well_and_are_told_per_approved_image(
    database: Database, events: ImageryEvents
) -> None:
    job, queue, books = place(database), ImageryQueue(database), ImageryBooks(database)
    assert (books.costs().per_candidate_s, books.costs().per_approved_s) == (None, None)
    lost = taken(queue, "lost")
    queue.beat(lost.lease, until=NOON + timedelta(seconds=30), spent_s={1: 6.0})
    work = taken(queue, at_s=31)
    for number in (1, 2):
        finish(queue, work, number, spent_s=2.0)
    events.add(job.id, 1, Event(act=Act.PROPOSE, at=NOON, by="kim"))
    events.add(job.id, 1, Event(act=Act.APPROVE, at=NOON, by="ada", digest="d" * 64))

    costs = books.costs(job.id)

    assert (costs.seconds, costs.candidates, costs.approved) == (10.0, 2, 1)
    assert (costs.per_candidate_s, costs.per_approved_s) == (5.0, 10.0)
    assert books.seconds(job.id) == {1: 8.0, 2: 2.0}
