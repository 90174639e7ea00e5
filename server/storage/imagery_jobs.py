"""Orders of images in the database: placed once, looked up, listed, cancelled. Whoever carries them out is in `server.storage.imagery_queue`.

What is committed survives a power cut. Times come from the caller; what a brief says is not known here. Calls block; an event loop makes them in
a thread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, exists, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from server.storage.database import Database
from server.storage.imagery_tables import (
    AttemptEnd,
    JobState,
    imagery_attempts,
    imagery_candidates,
    imagery_jobs,
)
from vision.errors import InputError, NotFoundError
from vision.imagery.review import Standing, State

_UNTOUCHED: Final = {
    "state": JobState.QUEUED, "reason": "", "revision": 1, "attempt": 0, "failures": 0, "worker": "", "making": 0, "step": 0, "steps": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        requester: a user; empty where nobody in particular asks.
        request_id: of the same requester a repeated one is the same order; empty: each is another.
        payload_sha256: of everything that the request says, so that an id is not used for two things.
        count: of candidates.
        policy: how images are labelled, as `vision.imagery.labels` writes it.
    """

    id: str
    requester: str
    request_id: str
    payload_sha256: str
    name: str
    brief: Mapping[str, Any]
    generator: str
    count: int
    policy: Mapping[str, Any]
    photo_sha256: str
    mask_sha256: str | None
    style_sha256: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An order as it stands.

    Attributes:
        reason: why it failed, or what its last attempt died of.
        attempt: how many workers took it up so far; `failures`: how many of them were lost or failed.
        making: which candidate is being made, from 1; 0 where none is. `step` and `steps` are the generator's.
    """

    id: str
    requester: str
    request_id: str | None
    payload_sha256: str
    name: str
    brief: Mapping[str, Any]
    generator: str
    policy: Mapping[str, Any]
    photo_sha256: str
    mask_sha256: str | None
    style_sha256: str | None
    created_at: datetime
    state: JobState
    reason: str
    revision: int
    attempt: int
    failures: int
    worker: str
    taken_at: datetime | None
    leased_until: datetime | None
    ended_at: datetime | None
    cancelled_by: str | None
    making: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One of an order's images, from draft on.

    Attributes:
        digest, approved_by: of the approval in force.
        manifest: canonical JSON; empty of a draft.
        reports: of each rule set, in the brief's order; `facts`: what else was found out, such as identity and category. JSON.
    """

    job_id: str
    number: int
    state: State
    digest: str = ""
    approved_by: str = ""
    manifest: str = field(default="", repr=False)
    master_sha256: str | None = None
    preview_sha256: str | None = None
    difference_sha256: str | None = None
    alpha_sha256: str | None = None
    reports: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""
    made_at: datetime | None = None

    def standing(self, requester: str) -> Standing:
        return Standing(
            requester=requester, state=self.state, digest=self.digest, approved_by=self.approved_by
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs to list; what is absent does not matter.

    Attributes:
        holding: with a candidate in this state.
        before: of the last one of the page before, its time and id.
    """

    state: JobState | None = None
    requester: str | None = None
    holding: State | None = None
    before: tuple[datetime, str] | None = None
    limit: int = 50


_COLUMNS: Final = tuple(imagery_jobs.c[one.name] for one in fields(Job))


@dataclass(frozen=True, slots=True)
class ImageryJobs:
    """The orders of every server on a database."""

    database: Database

    def place(self, order: Order, beside: Callable[[Connection], None] | None = None) -> tuple[Job, bool]:
        """Place an order; gives the job, and whether it had been placed before.

        Args:
            beside: what is written in the same transaction, unless it had.

        Raises:
            InputError: the request's id was used for another order.
            StorageError: it was not written.
        """
        earlier = self._earlier(order)
        if earlier is None and not self._placed(order, beside):
            earlier = self._earlier(order)
        return (self.find(order.id), False) if earlier is None else (earlier, True)

    def _placed(self, order: Order, beside: Callable[[Connection], None] | None) -> bool:
        """Whether it was written; not where the same request was a moment ago."""
        drafts = [_draft(order.id, number) for number in range(1, order.count + 1)]
        with self.database.writing(durable=True) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(imagery_jobs).values(_row(order)))
                    connection.execute(insert(imagery_candidates), drafts)
                    if beside is not None:
                        beside(connection)
            except IntegrityError:
                return False
        return True

    def find(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: there is none of that id.
        """
        query = select(*_COLUMNS).where(imagery_jobs.c.id == job_id)
        with self.database.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise no_job(job_id)
        return Job(**row)

    def preview(self, job_id: str) -> bytes:
        """What the candidate that is being made looks like so far, as a JPEG; empty where nothing was shown."""
        query = select(imagery_jobs.c.preview).where(imagery_jobs.c.id == job_id)
        with self.database.reading() as connection:
            return connection.execute(query).scalar_one_or_none() or b""

    def revision(self, job_id: str) -> int:
        """How far the job's changes go; 0 where there is no such job."""
        query = select(imagery_jobs.c.revision).where(imagery_jobs.c.id == job_id)
        with self.database.reading() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def candidates(self, job_id: str) -> list[Candidate]:
        """A job's, by number."""
        query = (
            select(imagery_candidates)
            .where(imagery_candidates.c.job_id == job_id)
            .order_by(imagery_candidates.c.number)
        )
        with self.database.reading() as connection:
            return [Candidate(**row) for row in connection.execute(query).mappings()]

    def candidate(self, job_id: str, number: int) -> Candidate:
        """One candidate.

        Raises:
            NotFoundError: there is no such job, or it has no such candidate.
        """
        found = {one.number: one for one in self.candidates(job_id)}
        if not found:
            raise no_job(job_id)
        if number not in found:
            raise NotFoundError(f"job '{job_id}': candidate: expected 1 to {len(found)}, found {number}")
        return found[number]

    def all(self, wanted: Wanted) -> list[Job]:
        """Some jobs, the newest first."""
        query = select(*_COLUMNS).order_by(imagery_jobs.c.created_at.desc(), imagery_jobs.c.id.desc())
        with self.database.reading() as connection:
            rows = connection.execute(_narrowed(query, wanted).limit(wanted.limit)).mappings()
            return [Job(**row) for row in rows]

    def states(self, job_ids: Sequence[str]) -> dict[str, list[State]]:
        """The candidates' states of some jobs, by number."""
        query = (
            select(imagery_candidates.c.job_id, imagery_candidates.c.state)
            .where(imagery_candidates.c.job_id.in_(job_ids))
            .order_by(imagery_candidates.c.job_id, imagery_candidates.c.number)
        )
        found: dict[str, list[State]] = {one: [] for one in job_ids}
        with self.database.reading() as connection:
            for job_id, state in connection.execute(query):
                found[job_id].append(state)
        return found

    def cancel(self, job_id: str, by: str, now: datetime) -> Job:
        """Have a job stopped: at once where nobody is at it, else at its worker's next step. One that has ended stays as it is.

        Raises:
            NotFoundError: there is none of that id.
            StorageError: it was not written.
        """
        query = select(*_COLUMNS).where(imagery_jobs.c.id == job_id).with_for_update()
        with self.database.writing(durable=True) as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise no_job(job_id)
            job = Job(**row)
            if not job.state.ended:
                changed: dict[str, Any] = {
                    "cancelled_by": job.cancelled_by or by or "nobody in particular",
                    "revision": job.revision + 1,
                }
                alone = job.leased_until is None or job.leased_until < now
                if alone:
                    changed |= {"state": JobState.CANCELLED, "ended_at": now, "leased_until": None}
                    connection.execute(
                        update(imagery_attempts)
                        .where(imagery_attempts.c.job_id == job_id, imagery_attempts.c.ended_at.is_(None))
                        .values(ended_at=now, outcome=AttemptEnd.LOST)
                    )
                connection.execute(update(imagery_jobs).where(imagery_jobs.c.id == job_id).values(changed))
        return self.find(job_id)

    def _earlier(self, order: Order) -> Job | None:
        if not order.request_id:
            return None
        same = (imagery_jobs.c.requester == order.requester) & (imagery_jobs.c.request_id == order.request_id)
        with self.database.reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(same)).mappings().one_or_none()
        if row is None:
            return None
        if row["payload_sha256"] != order.payload_sha256:
            raise InputError(
                f"request_id '{order.request_id}': expected the content it was first used with, found another"
            )
        return Job(**row)


def no_job(job_id: str) -> NotFoundError:
    return NotFoundError(f"job '{job_id[:64]}': expected one of this server, found none")


def _row(order: Order) -> dict[str, Any]:
    values = {one.name: getattr(order, one.name) for one in fields(Order) if one.name != "count"}
    return (
        values
        | {
            "request_id": order.request_id or None,
            "brief": dict(order.brief),
            "policy": dict(order.policy),
        }
        | _UNTOUCHED
    )


def _draft(job_id: str, number: int) -> dict[str, Any]:
    empty = {"digest": "", "approved_by": "", "manifest": "", "reports": [], "facts": {}, "worker": ""}
    return {"job_id": job_id, "number": number, "state": State.DRAFT, **empty}


def _narrowed(query: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.state is not None:
        query = query.where(imagery_jobs.c.state == wanted.state)
    if wanted.requester is not None:
        query = query.where(imagery_jobs.c.requester == wanted.requester)
    if wanted.holding is not None:
        holds = (imagery_candidates.c.job_id == imagery_jobs.c.id) & (
            imagery_candidates.c.state == wanted.holding
        )
        query = query.where(exists().where(holds))
    if wanted.before is not None:
        query = query.where(tuple_(imagery_jobs.c.created_at, imagery_jobs.c.id) < tuple_(*wanted.before))
    return query
