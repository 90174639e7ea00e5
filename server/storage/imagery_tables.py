"""Imagery's tables as they are now, beside those of `server.storage.tables`.

A job is an order of candidates; its candidates are there from the start, as drafts. `attempt` counts the workers that took a job up: whatever a
worker writes names its own, so that one that was thought dead and was not writes nothing any more. Events, exports, waivers and costs are only
ever added to.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import JSON, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from server.storage.tables import NUMBER, UtcDateTime, metadata, one_of
from vision.imagery.review import Act, State


class JobState(StrEnum):
    """What becomes of an order; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in {JobState.QUEUED, JobState.RUNNING}


class AttemptEnd(StrEnum):
    """How a worker's turn at a job ended; `RETURNED`: it was told to stop, and nothing counts against the job."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    LOST = "lost"


imagery_jobs: Final = Table(
    "imagery_jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    # Empty where nobody in particular asked; the pair with the request's id is that of one order.
    Column("requester", Text, nullable=False),
    Column("request_id", Text),
    Column("payload_sha256", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("brief", JSON, nullable=False),
    Column("generator", String(64), nullable=False),
    Column("policy", JSON, nullable=False),
    Column("photo_sha256", String(64), nullable=False),
    Column("mask_sha256", String(64)),
    Column("style_sha256", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", one_of(JobState), nullable=False),
    Column("reason", Text, nullable=False),
    # Counts up with every change of the job, its candidates and its progress: whoever watches asks for more than it has seen.
    Column("revision", NUMBER, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("taken_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("cancelled_by", Text),
    # What the worker is at: a candidate's number (0: before the first), the generator's steps, and a small JPEG of the last.
    Column("making", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("preview", LargeBinary),
)
HAS_REQUEST: Final = imagery_jobs.c.request_id.is_not(None)
IS_OPEN: Final = imagery_jobs.c.ended_at.is_(None)
Index(
    "uq_imagery_jobs_request",
    imagery_jobs.c.requester,
    imagery_jobs.c.request_id,
    unique=True,
    sqlite_where=HAS_REQUEST,
    postgresql_where=HAS_REQUEST,
)
Index("ix_imagery_jobs_created_at", imagery_jobs.c.created_at, imagery_jobs.c.id)
Index(
    "ix_imagery_jobs_open",
    imagery_jobs.c.created_at,
    imagery_jobs.c.id,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
Index("ix_imagery_jobs_turn", imagery_jobs.c.requester, imagery_jobs.c.taken_at)

imagery_candidates: Final = Table(
    "imagery_candidates",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", one_of(State), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("approved_by", Text, nullable=False),
    # Canonical JSON as its digest has it; pictures by the SHA-256 of their files.
    Column("manifest", Text, nullable=False),
    Column("master_sha256", String(64)),
    Column("preview_sha256", String(64)),
    Column("difference_sha256", String(64)),
    Column("alpha_sha256", String(64)),
    Column("reports", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("worker", Text, nullable=False),
    Column("made_at", UtcDateTime),
)
Index("ix_imagery_candidates_state", imagery_candidates.c.state, imagery_candidates.c.job_id)

imagery_attempts: Final = Table(
    "imagery_attempts",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("worker", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", one_of(AttemptEnd)),
    Column("reason", Text, nullable=False),
)

imagery_events: Final = Table(
    "imagery_events",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("act", one_of(Act), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", String(64), nullable=False),
)
Index("ix_imagery_events_candidate", imagery_events.c.job_id, imagery_events.c.number)

imagery_exports: Final = Table(
    "imagery_exports",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("rule_set", String(64), primary_key=True),
    # Of the approval that it rests on: the same one gives the same file again.
    Column("digest", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("format", String(16), nullable=False),
    Column("bytes", NUMBER, nullable=False),
    Column("report", JSON, nullable=False),
)

imagery_waivers: Final = Table(
    "imagery_waivers",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("job_id", String(32), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("keep_until", UtcDateTime, nullable=False),
)

# A row for each candidate that an attempt worked at: what it took so far, also where the worker was killed.
imagery_costs: Final = Table(
    "imagery_costs",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("device", Text, nullable=False),
    Column("seconds", Float(53), nullable=False),
)
