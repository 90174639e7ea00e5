"""Who is at which order of images: taken up under a lease, kept by heartbeats, given back, ended.

A worker that is killed lets its lease run out, and the order waits again with every candidate that was finished. Whatever a worker writes is
written only while the order is its own: one that was thought dead and was not is told so by `LeaseLostError` and has written nothing. Between
users turns are taken, so that nobody waits behind another's thousand orders; of one user the oldest comes first.

Times come from the caller: workers on several machines need clocks that agree to much less than the lease. Calls block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from server.storage.database import Database
from server.storage.imagery_events import happen
from server.storage.imagery_jobs import Candidate
from server.storage.imagery_tables import (
    IS_OPEN,
    AttemptEnd,
    JobState,
    imagery_attempts,
    imagery_candidates,
    imagery_costs,
    imagery_jobs,
)
from vision.errors import StateError
from vision.imagery.review import Act, Event

_MAX_REASON: Final = 2000
_WAITING: Final = and_(IS_OPEN, imagery_jobs.c.state == JobState.QUEUED)


class LeaseLostError(StateError):
    """The order is not this worker's any more; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's turn at an order."""

    job_id: str
    attempt: int
    worker: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker has taken up, with the candidates as earlier workers left them."""

    lease: Lease
    brief: Mapping[str, Any]
    photo_sha256: str
    mask_sha256: str | None
    style_sha256: str | None
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A candidate's image: its manifest's canonical JSON and digest, and its pictures by the SHA-256 of their files."""

    manifest: str
    digest: str
    master_sha256: str
    preview_sha256: str
    difference_sha256: str
    alpha_sha256: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImageryQueue:
    """The orders that wait and those that are being carried out.

    Args:
        max_failures: how many workers in a row an order may lose or fail, none of whom finished a candidate, before it has failed itself.
    """

    database: Database
    max_failures: int = 3

    def take(
        self,
        *,
        worker: str,
        device: str,
        now: datetime,
        lease: timedelta,
        generators: Sequence[str] | None = None,
    ) -> Work | None:
        """Take up the next order; nothing where none waits.

        Args:
            generators: take only orders of these.

        Raises:
            StorageError: the database does not answer, or it was not written.
        """
        if not self._anything(now, generators):
            return None
        with self.database.writing(durable=True) as connection:
            self._let_go(connection, now)
            job = _next(connection, generators)
            if job is None:
                return None
            mine = Lease(job_id=job.id, attempt=job.attempt + 1, worker=worker, device=device)
            _begin(connection, mine, now, now + lease)
            rows = connection.execute(
                select(imagery_candidates)
                .where(imagery_candidates.c.job_id == job.id)
                .order_by(imagery_candidates.c.number)
            ).mappings()
            return Work(
                lease=mine,
                brief=job.brief,
                photo_sha256=job.photo_sha256,
                mask_sha256=job.mask_sha256,
                style_sha256=job.style_sha256,
                candidates=tuple(Candidate(**row) for row in rows),
            )

    def beat(self, lease: Lease, *, until: datetime, spent_s: Mapping[int, float]) -> bool:
        """Keep an order, and say what its candidates took so far; gives whether somebody wants it stopped.

        Raises:
            LeaseLostError: it is another's now, or has ended.
            StorageError: it was not written.
        """
        with self.database.writing() as connection:
            _mine(connection, lease, leased_until=until)
            _spend(connection, lease, spent_s)
            wanted = select(imagery_jobs.c.cancelled_by).where(imagery_jobs.c.id == lease.job_id)
            return connection.execute(wanted).scalar_one() is not None

    def tell(self, lease: Lease, *, making: int, step: int, steps: int, preview: bytes | None) -> None:
        """Say how far a candidate has come. Raises as `beat`."""
        with self.database.writing() as connection:
            shown = {} if preview is None else {"preview": preview}
            _mine(connection, lease, changed=True, making=making, step=step, steps=steps, **shown)

    def made(self, lease: Lease, number: int, made: Made, *, now: datetime, spent_s: float) -> None:
        """Keep a candidate's image. Raises as `beat`."""
        event = Event(act=Act.MAKE, at=now, by=lease.worker, digest=made.digest)
        values = {name: getattr(made, name) for name in Made.__slots__ if name != "digest"}
        self._advance(lease, number, event, {**values, "made_at": now, "worker": lease.worker}, spent_s)

    def checked(
        self,
        lease: Lease,
        number: int,
        reports: Sequence[Mapping[str, Any]],
        *,
        now: datetime,
        spent_s: float,
    ) -> None:
        """Keep what the rule sets say of a candidate. Raises as `beat`."""
        event = Event(act=Act.CHECK, at=now, by=lease.worker)
        self._advance(lease, number, event, {"reports": list(reports)}, spent_s)

    def end(
        self, lease: Lease, outcome: AttemptEnd, *, now: datetime, reason: str = "", again: bool = False
    ) -> None:
        """End a worker's turn.

        Args:
            again: of one that failed: another worker may have better luck, as long as not too many have failed.

        Raises:
            LeaseLostError, StorageError: as `beat`.
        """
        reason = reason[:_MAX_REASON]
        with self.database.writing(durable=True) as connection:
            failures = _mine(connection, lease)
            changed: dict[str, Any] = {"reason": reason, "making": 0, "preview": None, "leased_until": None}
            changed |= self._ended(outcome, failures, now=now, again=again)
            _mine(connection, lease, changed=True, **changed)
            _close(connection, lease.job_id, outcome, now, reason)

    def _ended(self, outcome: AttemptEnd, failures: int, *, now: datetime, again: bool) -> dict[str, Any]:
        if outcome is AttemptEnd.RETURNED:
            return {"state": JobState.QUEUED}
        if outcome is AttemptEnd.FAILED:
            waits = again and failures + 1 < self.max_failures
            state = {"state": JobState.QUEUED} if waits else {"state": JobState.FAILED, "ended_at": now}
            return {"failures": failures + 1, **state}
        state_of = {AttemptEnd.DONE: JobState.DONE, AttemptEnd.CANCELLED: JobState.CANCELLED}
        return {"state": state_of[outcome], "ended_at": now}

    def _advance(
        self, lease: Lease, number: int, event: Event, values: Mapping[str, Any], spent_s: float
    ) -> None:
        where = (imagery_candidates.c.job_id == lease.job_id) & (imagery_candidates.c.number == number)
        with self.database.writing(durable=True) as connection:
            _mine(connection, lease, changed=True, failures=0)  # who gets on is no danger to workers
            happen(connection, lease.job_id, number, event)
            connection.execute(update(imagery_candidates).where(where).values(dict(values)))
            _spend(connection, lease, {number: spent_s})

    def _anything(self, now: datetime, generators: Sequence[str] | None) -> bool:
        """Whether there is anything to write: what waits for other workers alone is left alone."""
        query = select(imagery_jobs.c.id).where(or_(_waiting(generators), _expired(now))).limit(1)
        with self.database.reading() as connection:
            return connection.execute(query).first() is not None

    def _let_go(self, connection: Connection, now: datetime) -> None:
        """Have the orders of workers that have gone silent wait again, or end."""
        gone = select(imagery_jobs).where(_expired(now)).with_for_update(skip_locked=True)
        for job in connection.execute(gone).all():
            reason = (
                f"worker '{job.worker}' was lost"
                + (f" while it made candidate {job.making}, or checked the one before" if job.making else "")
                + f"; it was the {job.failures + 1}. of at most {self.max_failures}"
            )
            if job.cancelled_by is not None:
                changed: dict[str, Any] = {"state": JobState.CANCELLED, "ended_at": now}
            else:
                changed = self._ended(AttemptEnd.FAILED, job.failures, now=now, again=True)
            connection.execute(
                update(imagery_jobs)
                .where(imagery_jobs.c.id == job.id)
                .values(
                    reason=reason,
                    leased_until=None,
                    making=0,
                    preview=None,
                    revision=job.revision + 1,
                    **changed,
                )
            )
            _close(connection, job.id, AttemptEnd.LOST, now, reason)


def _waiting(generators: Sequence[str] | None) -> Any:
    return _WAITING if generators is None else and_(_WAITING, imagery_jobs.c.generator.in_(generators))


def _expired(now: datetime) -> Any:
    return and_(IS_OPEN, imagery_jobs.c.state == JobState.RUNNING, imagery_jobs.c.leased_until < now)


def _next(connection: Connection, generators: Sequence[str] | None) -> Any:
    """The oldest order of the user whose last turn is the longest ago; held until the transaction ends."""
    others = imagery_jobs.alias("others")
    last_turn = (
        select(func.max(others.c.taken_at))
        .where(others.c.requester == imagery_jobs.c.requester)
        .scalar_subquery()
    )
    query = select(imagery_jobs).where(_waiting(generators))
    query = query.order_by(last_turn.nulls_first(), imagery_jobs.c.created_at, imagery_jobs.c.id).limit(1)
    return connection.execute(query.with_for_update(of=imagery_jobs, skip_locked=True)).one_or_none()


def _begin(connection: Connection, mine: Lease, now: datetime, until: datetime) -> None:
    connection.execute(
        update(imagery_jobs)
        .where(imagery_jobs.c.id == mine.job_id)
        .values(
            state=JobState.RUNNING,
            attempt=mine.attempt,
            worker=mine.worker,
            taken_at=now,
            leased_until=until,
            revision=imagery_jobs.c.revision + 1,
        )
    )
    connection.execute(
        insert(imagery_attempts).values(
            job_id=mine.job_id,
            attempt=mine.attempt,
            worker=mine.worker,
            device=mine.device,
            began_at=now,
            reason="",
        )
    )


def _mine(connection: Connection, lease: Lease, *, changed: bool = False, **values: Any) -> int:
    """Change an order that is still this worker's, and hold it until the transaction ends; gives how many have failed at it.

    Raises:
        LeaseLostError: it is not.
    """
    revision = imagery_jobs.c.revision + (1 if changed else 0)
    statement = (
        update(imagery_jobs)
        .where(
            imagery_jobs.c.id == lease.job_id,
            imagery_jobs.c.attempt == lease.attempt,
            imagery_jobs.c.state == JobState.RUNNING,
        )
        .values(revision=revision, **values)
        .returning(imagery_jobs.c.failures)
    )
    failures: int | None = connection.execute(statement).scalar_one_or_none()
    if failures is None:
        raise LeaseLostError(
            f"job '{lease.job_id}': expected it to be {lease.worker}'s still, found it taken or ended"
        )
    return failures


def _close(connection: Connection, job_id: str, outcome: AttemptEnd, now: datetime, reason: str) -> None:
    connection.execute(
        update(imagery_attempts)
        .where(imagery_attempts.c.job_id == job_id, imagery_attempts.c.ended_at.is_(None))
        .values(ended_at=now, outcome=outcome, reason=reason)
    )


def _spend(connection: Connection, lease: Lease, spent_s: Mapping[int, float]) -> None:
    """Put down what candidates took in this turn so far, in the place of what was put down before."""
    insert_of = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for number, seconds in spent_s.items():
        row = insert_of(imagery_costs).values(
            job_id=lease.job_id, attempt=lease.attempt, number=number, device=lease.device, seconds=seconds
        )
        key = (imagery_costs.c.job_id, imagery_costs.c.attempt, imagery_costs.c.number)
        connection.execute(row.on_conflict_do_update(index_elements=key, set_={"seconds": seconds}))
