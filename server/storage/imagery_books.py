"""What is left of images that went out: exports, waivers of the visible label, and what everything cost.

Rows are added and never changed. Calls block; an event loop makes them in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from server.storage.database import Database
from server.storage.imagery_tables import (
    imagery_candidates,
    imagery_costs,
    imagery_exports,
    imagery_waivers,
)
from vision.imagery.review import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that went out.

    Attributes:
        digest: of the approval that it rests on.
        report: of the file as it is, as `vision.imagery.compliance` writes it.
    """

    job_id: str
    number: int
    rule_set: str
    digest: str
    at: datetime
    by_user: str
    file_sha256: str
    format: str
    bytes: int
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Who took it on themselves that images of a job go out without a visible label; kept until a time at least."""

    job_id: str
    at: datetime
    by_user: str
    reason: str
    keep_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Device-seconds, lost and failed turns included.

    Attributes:
        candidates: how many came to be; `approved`: how many of these are approved or exported.
    """

    seconds: float
    candidates: int
    approved: int

    @property
    def per_candidate_s(self) -> float | None:
        return self.seconds / self.candidates if self.candidates else None

    @property
    def per_approved_s(self) -> float | None:
        return self.seconds / self.approved if self.approved else None


@dataclass(frozen=True, slots=True)
class ImageryBooks:
    """The books of every server on a database."""

    database: Database

    def export(self, job_id: str, number: int, rule_set: str, digest: str) -> Export | None:
        """What went out already on this approval for this rule set."""
        table = imagery_exports.c
        query = select(imagery_exports).where(
            table.job_id == job_id,
            table.number == number,
            table.rule_set == rule_set,
            table.digest == digest,
        )
        with self.database.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else Export(**row)

    def waivers(self, job_id: str) -> list[Waiver]:
        """A job's, the oldest first."""
        query = (
            select(imagery_waivers).where(imagery_waivers.c.job_id == job_id).order_by(imagery_waivers.c.id)
        )
        with self.database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [Waiver(**{name: row[name] for name in Waiver.__slots__}) for row in rows]

    def seconds(self, job_id: str) -> dict[int, float]:
        """Device-seconds of a job's candidates by number, over all turns."""
        query = (
            select(imagery_costs.c.number, func.sum(imagery_costs.c.seconds))
            .where(imagery_costs.c.job_id == job_id)
            .group_by(imagery_costs.c.number)
        )
        with self.database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def costs(self, job_id: str | None = None) -> Costs:
        """What images cost: of one job, or of all."""
        spent = select(func.coalesce(func.sum(imagery_costs.c.seconds), 0.0))
        counted = select(func.count()).select_from(imagery_candidates)
        if job_id is not None:
            spent = spent.where(imagery_costs.c.job_id == job_id)
            counted = counted.where(imagery_candidates.c.job_id == job_id)
        state = imagery_candidates.c.state
        with self.database.reading() as connection:
            return Costs(
                seconds=connection.execute(spent).scalar_one(),
                candidates=connection.execute(counted.where(state != State.DRAFT)).scalar_one(),
                approved=connection.execute(
                    counted.where(state.in_([State.APPROVED, State.EXPORTED]))
                ).scalar_one(),
            )


def waived(connection: Connection, waiver: Waiver) -> None:
    """Keep a waiver, in the transaction of the order that rests on it."""
    values = {name: getattr(waiver, name) for name in Waiver.__slots__}
    connection.execute(insert(imagery_waivers).values(values))


def went_out(connection: Connection, export: Export) -> None:
    """Keep an export, in the transaction of what happens to its candidate."""
    values = {name: getattr(export, name) for name in Export.__slots__}
    connection.execute(insert(imagery_exports).values(values | {"report": dict(export.report)}))
