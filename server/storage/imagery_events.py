"""What happens to candidates, appended and never changed; where each stands is kept beside it, in the same transaction.

`vision.imagery.review` says what may happen. Calls block; an event loop makes them in a thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select, update

from server.storage.database import Database
from server.storage.imagery_jobs import Candidate, no_job
from server.storage.imagery_tables import imagery_candidates, imagery_events, imagery_jobs
from vision.errors import NotFoundError
from vision.imagery.review import Event, after

Beside = Callable[[Connection, Candidate], None]


@dataclass(frozen=True, slots=True)
class ImageryEvents:
    """The history of every candidate on a database."""

    database: Database

    def add(self, job_id: str, number: int, event: Event, beside: Beside | None = None) -> Candidate:
        """Let something happen to a candidate; gives it as it stands then.

        Args:
            beside: what is written in the same transaction, with the candidate as it then stands.

        Raises:
            NotFoundError: there is no such candidate.
            StateError, PermissionDeniedError, InputError: as `vision.imagery.review.after`; then nothing has happened.
            StorageError: it was not written.
        """
        with self.database.writing(durable=True) as connection:
            bump(connection, job_id)
            candidate = happen(connection, job_id, number, event)
            if beside is not None:
                beside(connection, candidate)
            return candidate

    def of(self, job_id: str, number: int | None = None) -> Sequence[tuple[int, Event]]:
        """What happened to a job's candidates, or to one of them, the oldest first, with their numbers."""
        query = select(imagery_events).where(imagery_events.c.job_id == job_id).order_by(imagery_events.c.id)
        if number is not None:
            query = query.where(imagery_events.c.number == number)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            (
                row.number,
                Event(act=row.act, at=row.at, by=row.by_user, reason=row.reason, digest=row.digest),
            )
            for row in rows
        ]


def happen(connection: Connection, job_id: str, number: int, event: Event) -> Candidate:
    """As `ImageryEvents.add`, in the caller's transaction, which already holds the job's row."""
    where = (imagery_candidates.c.job_id == job_id) & (imagery_candidates.c.number == number)
    row = (
        connection.execute(select(imagery_candidates).where(where).with_for_update()).mappings().one_or_none()
    )
    if row is None:
        raise NotFoundError(f"job '{job_id}': expected a candidate {number}, found none")
    candidate = Candidate(**row)
    requester = connection.execute(
        select(imagery_jobs.c.requester).where(imagery_jobs.c.id == job_id)
    ).scalar_one()
    stands = after(candidate.standing(requester), event, name=f"job '{job_id}', candidate {number}")
    now = replace(candidate, state=stands.state, digest=stands.digest, approved_by=stands.approved_by)
    connection.execute(
        update(imagery_candidates)
        .where(where)
        .values(state=now.state, digest=now.digest, approved_by=now.approved_by)
    )
    connection.execute(
        insert(imagery_events).values(
            job_id=job_id,
            number=number,
            act=event.act,
            at=event.at,
            by_user=event.by,
            reason=event.reason.strip(),
            digest=event.digest,
        )
    )
    return now


def bump(connection: Connection, job_id: str) -> None:
    """Say that something of the job has changed; who says so holds the job's row until the transaction ends.

    Raises:
        NotFoundError: there is no such job.
    """
    changed = (
        update(imagery_jobs).where(imagery_jobs.c.id == job_id).values(revision=imagery_jobs.c.revision + 1)
    )
    if not connection.execute(changed).rowcount:
        raise no_job(job_id)
