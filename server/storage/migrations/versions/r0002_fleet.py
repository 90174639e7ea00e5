"""Stations and the parts that they report.

Written out by hand, as `r0001_results` says.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

_TIME: Final = sa.DateTime(timezone=True)
_OUTCOMES: Final = ("accept", "reject", "review", "timeout", "fault")


def upgrade() -> None:
    op.create_table(
        "stations",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("bundle", sa.String(128), nullable=False),
        sa.Column("registered_at", _TIME),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("since_boot", sa.JSON, nullable=False),
        sa.Column("waiting", sa.BigInteger, nullable=False),
        sa.Column("discarded", sa.BigInteger, nullable=False),
        *(sa.Column(f"kept_{outcome}", sa.BigInteger, nullable=False) for outcome in _OUTCOMES),
        sa.PrimaryKeyConstraint("name", name="pk_stations"),
    )
    op.create_table(
        "station_results",
        sa.Column("station", sa.String(63), nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("part", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("triggered_at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("probability", sa.Float(53)),
        sa.Column("bundle", sa.String(128), nullable=False),
        sa.Column("counter", sa.BigInteger),
        sa.Column("frame_id", sa.BigInteger),
        sa.Column("timings_ms", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("station", "boot", "part", name="pk_station_results"),
    )
    op.create_index(
        "ix_station_results_triggered_at", "station_results", ["triggered_at", "station", "boot", "part"]
    )
    op.create_index("ix_station_results_received_at", "station_results", ["received_at"])
