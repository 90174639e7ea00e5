"""The tables as they are now; how a database gets there is told in `migrations/`.

Times are aware and in UTC on the way in and on the way out, whatever the database makes of time zones.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    bindparam,
    true,
)
from typing_extensions import override

from vision.inspection.policy import Decision, Reason


class PartOutcome(StrEnum):
    """What became of a part at a station; the last two drove its fail-safe output."""

    ACCEPT = "accept"
    REJECT = "reject"
    REVIEW = "review"
    TIMEOUT = "timeout"
    FAULT = "fault"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite knows no time zones, so what it keeps is UTC without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"expected a time with its zone, found {value.isoformat()}")
        return None if value is None else value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(kind: type[StrEnum]) -> Enum:
    """Kept as text, so that a new member needs no migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys alone

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

results: Final = Table(
    "results",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", Text),
    Column("principal", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("payload_sha256", String(64), nullable=False),
    Column("answer", LargeBinary),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("model_file", Text, nullable=False),
    Column("decision", one_of(Decision), nullable=False),
    Column("reason", one_of(Reason), nullable=False),
    Column("detail", Text, nullable=False),
    Column("label", Text),
    Column("probability", Float(53)),
    Column("novelty", Float(53)),
    Column("certified", Boolean, nullable=False),
    Column("part", Text, nullable=False),
    Column("judged_at", UtcDateTime, nullable=False),
    Column("total_ms", Float(53), nullable=False),
    Column("image_sha256", String(64)),
    Column("audit", Boolean, nullable=False),
    # The newest disposition. Kept here so that what waits for a person is found by an index; no foreign key, since two tables that
    # point at each other can be neither filled nor dropped in order.
    Column("disposition_id", NUMBER),
)

dispositions: Final = Table(
    "dispositions",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("result_id", String(32), ForeignKey("results.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("user", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("principal", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

stations: Final = Table(
    "stations",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("boot", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("bundle", String(128), nullable=False),
    Column("registered_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("since_boot", JSON, nullable=False),
    Column("waiting", BigInteger, nullable=False),
    Column("discarded", BigInteger, nullable=False),
    # Counted up with each part that is kept, and not down when retention forgets it.
    *(Column(f"kept_{outcome}", BigInteger, nullable=False) for outcome in PartOutcome),
)

station_results: Final = Table(
    "station_results",
    metadata,
    Column("station", String(63), primary_key=True),
    Column("boot", String(64), primary_key=True),
    Column("part", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("triggered_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("outcome", one_of(PartOutcome), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("label", Text),
    Column("probability", Float(53)),
    Column("bundle", String(128), nullable=False),
    Column("counter", BigInteger),
    Column("frame_id", BigInteger),
    Column("timings_ms", JSON, nullable=False),
)
Index(
    "ix_station_results_triggered_at",
    station_results.c.triggered_at,
    station_results.c.station,
    station_results.c.boot,
    station_results.c.part,
)

# Written out in each statement: a database uses a partial index only where it sees the index's own condition.
_REVIEW: Final = bindparam(None, Decision.REVIEW, type_=results.c.decision.type, literal_execute=True)
IS_OPEN_REVIEW: Final = and_(results.c.decision == _REVIEW, results.c.disposition_id.is_(None))
IS_OPEN_AUDIT: Final = and_(
    results.c.audit.is_(true()), results.c.decision != _REVIEW, results.c.disposition_id.is_(None)
)
HAS_REQUEST_ID: Final = results.c.request_id.is_not(None)
HAS_IMAGE: Final = results.c.image_sha256.is_not(None)

REQUEST_KEY: Final = (results.c.principal, results.c.method, results.c.request_id)
Index(
    "uq_results_request",
    *REQUEST_KEY,
    unique=True,
    sqlite_where=HAS_REQUEST_ID,
    postgresql_where=HAS_REQUEST_ID,
)
Index("ix_results_judged_at", results.c.judged_at, results.c.id)
Index("ix_results_image", results.c.image_sha256, sqlite_where=HAS_IMAGE, postgresql_where=HAS_IMAGE)
for _name, _condition in (("open_review", IS_OPEN_REVIEW), ("open_audit", IS_OPEN_AUDIT)):
    Index(
        f"ix_results_{_name}",
        results.c.judged_at,
        results.c.id,
        results.c.model_name,
        sqlite_where=_condition,
        postgresql_where=_condition,
    )
