"""The catalog: items, what people say of them, and answers that are given again.

Written out by hand, as `r0001_results` says.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"

_TIME: Final = sa.DateTime(timezone=True)
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    clock = op.create_table(
        "catalog_clock",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_clock"),
    )
    op.bulk_insert(clock, [{"id": 1, "revision": 0, "forgotten": 0}])
    op.create_table(
        "catalog_items",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("by_user", "model_name", "model_digest", "title")
        ),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("corrected", sa.JSON, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
        sa.Column("signatures", sa.LargeBinary, nullable=False),
        sa.Column("photos", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_items"),
    )
    op.create_index("ix_catalog_items_revision", "catalog_items", ["revision"], unique=True)
    op.create_table(
        "catalog_photos",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sha256", "item_id", name="pk_catalog_photos"),
    )
    op.create_index("ix_catalog_photos_item_id", "catalog_photos", ["item_id"])
    op.create_table(
        "catalog_feedback",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("by_user", sa.Text, nullable=False),
        sa.Column("reviewer", sa.Boolean, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_feedback"),
    )
    op.create_index("ix_catalog_feedback_item_id", "catalog_feedback", ["item_id"])
    op.create_table(
        "catalog_answers",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("principal", "method", "request_id")),
        sa.Column("payload_sha256", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("answered_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("principal", "method", "request_id", name="pk_catalog_answers"),
    )
    op.create_index("ix_catalog_answers_answered_at", "catalog_answers", ["answered_at"])
