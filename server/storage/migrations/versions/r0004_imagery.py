"""Imagery: orders, their candidates, who took them up, what was said of them, exported and spent.

Written out by hand, as `r0001_results` says.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

_TIME: Final = sa.DateTime(timezone=True)
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_jobs()
    _create_candidates()
    op.create_table(
        "imagery_attempts",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("began_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "attempt", name="pk_imagery_attempts"),
    )
    op.create_table(
        "imagery_events",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by_user", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imagery_events"),
    )
    op.create_index("ix_imagery_events_candidate", "imagery_events", ["job_id", "number"])
    _create_books()


def _create_jobs() -> None:
    op.create_table(
        "imagery_jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("payload_sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("brief", sa.JSON, nullable=False),
        sa.Column("generator", sa.String(64), nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("photo_sha256", sa.String(64), nullable=False),
        sa.Column("mask_sha256", sa.String(64)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        *(sa.Column(name, _TIME) for name in ("taken_at", "leased_until", "ended_at")),
        sa.Column("cancelled_by", sa.Text),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("making", "step", "steps")),
        sa.Column("preview", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_imagery_jobs"),
    )
    order = ["created_at", "id"]
    op.create_index("ix_imagery_jobs_created_at", "imagery_jobs", order)
    op.create_index("ix_imagery_jobs_turn", "imagery_jobs", ["requester", "taken_at"])
    _partial_index("ix_imagery_jobs_open", order, "ended_at IS NULL")
    _partial_index(
        "uq_imagery_jobs_request", ["requester", "request_id"], "request_id IS NOT NULL", unique=True
    )


def _create_candidates() -> None:
    op.create_table(
        "imagery_candidates",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("approved_by", "manifest")),
        *(
            sa.Column(name, sa.String(64))
            for name in ("master_sha256", "preview_sha256", "difference_sha256", "alpha_sha256")
        ),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("reports", "facts")),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("made_at", _TIME),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_imagery_candidates"),
    )
    op.create_index("ix_imagery_candidates_state", "imagery_candidates", ["state", "job_id"])


def _create_books() -> None:
    op.create_table(
        "imagery_exports",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("rule_set", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by_user", sa.Text, nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("bytes", _NUMBER, nullable=False),
        sa.Column("report", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "number", "rule_set", "digest", name="pk_imagery_exports"),
    )
    op.create_table(
        "imagery_waivers",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by_user", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("keep_until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imagery_waivers"),
    )
    op.create_index("ix_imagery_waivers_job_id", "imagery_waivers", ["job_id"])
    op.create_table(
        "imagery_costs",
        sa.Column("job_id", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in ("attempt", "number")),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "attempt", "number", name="pk_imagery_costs"),
    )


def _partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, "imagery_jobs", columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )
