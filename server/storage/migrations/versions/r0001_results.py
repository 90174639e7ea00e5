"""Results, dispositions, tokens and the audit log.

Written out by hand and not taken from `server.storage.tables`: the tables go on, this revision does not.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

_TIME: Final = sa.DateTime(timezone=True)
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "results",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("payload_sha256", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("model_name", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("model_digest", sa.Text, nullable=False),
        sa.Column("model_file", sa.Text, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("probability", sa.Float(53)),
        sa.Column("novelty", sa.Float(53)),
        sa.Column("certified", sa.Boolean, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("judged_at", _TIME, nullable=False),
        sa.Column("total_ms", sa.Float(53), nullable=False),
        sa.Column("image_sha256", sa.String(64)),
        sa.Column("audit", sa.Boolean, nullable=False),
        sa.Column("disposition_id", _NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
    )
    _index_results()
    op.create_table(
        "dispositions",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("result_id", sa.String(32), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("by_user", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dispositions"),
        sa.ForeignKeyConstraint(["result_id"], ["results.id"], name="fk_dispositions_result_id"),
    )
    op.create_index("ix_dispositions_result_id", "dispositions", ["result_id"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])


def _index_results() -> None:
    op.create_index("ix_results_judged_at", "results", ["judged_at", "id"])
    _partial_index(
        "uq_results_request", ["principal", "method", "request_id"], "request_id IS NOT NULL", unique=True
    )
    _partial_index("ix_results_image", ["image_sha256"], "image_sha256 IS NOT NULL")
    waiting = ["judged_at", "id", "model_name"]
    _partial_index("ix_results_open_review", waiting, "decision = 'review' AND disposition_id IS NULL")
    yes = "true" if op.get_bind().dialect.name == "postgresql" else "1"
    _partial_index(
        "ix_results_open_audit",
        waiting,
        f"audit IS {yes} AND decision != 'review' AND disposition_id IS NULL",
    )


def _partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, "results", columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )
