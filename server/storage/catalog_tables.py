"""The catalog's tables as they are now, beside those of `server.storage.tables`.

Items are numbered by `revision` in the order in which they were committed: whoever keeps an index of them asks for what came after the
last one it has seen. A removed item stays for a while as an id with a revision and nothing else, so that indexes hear of it.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from server.storage.tables import NUMBER, UtcDateTime, metadata, one_of


class FeedbackState(StrEnum):
    """What an opinion counts for."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    OVERRULED = "overruled"


# One row: the newest revision, and the newest that a removed item had which is not remembered any more.
catalog_clock: Final = Table(
    "catalog_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("forgotten", BigInteger, nullable=False),
)

catalog_items: Final = Table(
    "catalog_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("split", String(8), nullable=False),
    Column("status", String(16), nullable=False),
    # The best path from the first level on, and how many levels of it were answered for; what people made of it, by level.
    Column("said", JSON, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("corrected", JSON, nullable=False),
    # int8 and uint8, one row a photo; the photos' digests are in the same order.
    Column("vectors", LargeBinary, nullable=False),
    Column("signatures", LargeBinary, nullable=False),
    Column("photos", JSON, nullable=False),
    # Digests of photos that were sent with these, and are not kept.
    Column("unjudged", JSON, nullable=False, server_default="[]"),
)
Index("ix_catalog_items_revision", catalog_items.c.revision, unique=True)

# Which items have a photo, by the digest of its bytes as kept or as sent: a photo that none has may go.
catalog_photos: Final = Table(
    "catalog_photos",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("item_id", Text, primary_key=True, index=True),
)

catalog_feedback: Final = Table(
    "catalog_feedback",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("item_id", Text, nullable=False, index=True),
    Column("labels", JSON, nullable=False),
    Column("said", JSON, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("reviewer", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("state", one_of(FeedbackState), nullable=False),
)

catalog_answers: Final = Table(
    "catalog_answers",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("payload_sha256", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("answered_at", UtcDateTime, nullable=False, index=True),
)
