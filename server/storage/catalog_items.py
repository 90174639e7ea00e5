"""The catalog's items in the database: put, replaced, removed, and told of in the order in which that was committed.

What is committed survives a power cut. Times come from the caller; what vectors and labels mean is not known here. Calls block; an event
loop makes them in a thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from server.storage.catalog_tables import catalog_clock, catalog_feedback, catalog_items, catalog_photos
from server.storage.database import Database
from server.storage.settling import Renaming, forget, rename
from vision.errors import NotFoundError

TEST: Final = "test"
"""The split of which nothing is learned."""
_PAGE: Final = 500
_ALIVE: Final = catalog_items.c.removed.is_(False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo by the SHA-256 of its bytes: as it is kept, and as it was sent."""

    sha256: str
    original_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """A product.

    Attributes:
        by: who handed it in.
        split: train, val or test, where that was said.
        said: by level, from the first: the model's best path; `depth` of its levels were answered for.
        corrected: by level: what people made of it, where they did.
        vectors: int8, a row a photo; `signatures`: uint8, likewise; `photos`: in the same order.
        unjudged: digests of photos that were sent as well and could not be judged; they are not kept.
        revision: set where the item was read.
    """

    id: str
    changed_at: datetime
    by: str
    model_name: str
    model_digest: str
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    split: str = ""
    status: str
    said: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    corrected: Mapping[str, str] = field(default_factory=dict)
    vectors: bytes = field(default=b"", repr=False)
    signatures: bytes = field(default=b"", repr=False)
    photos: tuple[Photo, ...] = ()
    unjudged: tuple[str, ...] = ()
    revision: int = 0
    removed: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """By level: what the item counts as. As people corrected it, else as far as the model answered."""
        return dict(self.corrected) or dict(list(self.said.items())[: self.depth])

    @property
    def sent(self) -> set[str]:
        """Digests of its photos as they were sent, all of them."""
        return {photo.original_sha256 for photo in self.photos} | set(self.unjudged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far the changes go: the newest revision; and below which removed items are not told of any more."""

    revision: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class CatalogItems:
    """What is in the catalog."""

    database: Database

    def put(self, row: ItemRow, *, today: Renaming = dict) -> tuple[int, bool]:
        """Keep an item, in the place of the one with its id.

        What people said of the earlier one goes with it, unless the same photos were sent. One of the test set stays of the test set as long
        as it has a photo of the earlier one.

        Args:
            today: puts what people said into the labels of the model that has placed the item.

        Returns:
            Its revision, and whether there was one before.

        Raises:
            StorageError: it was not written.
        """
        with self.database.writing(durable=True) as connection:
            revision = _next_revision(connection)
            earlier = _locked(connection, row.id)
            there = earlier is not None and not earlier.removed
            if earlier is not None and earlier.split == TEST and earlier.sent & row.sent:
                row = replace(row, split=TEST)
            if earlier is not None and there and earlier.sent == row.sent:
                row = replace(row, corrected=rename(connection, row.id, today))
            else:
                forget(connection, row.id)
            values = _values(replace(row, revision=revision))
            if earlier is None:
                connection.execute(insert(catalog_items).values(values))
            else:
                connection.execute(update(catalog_items).where(catalog_items.c.id == row.id).values(values))
            _refer(connection, row)
        return revision, there

    def refresh(self, row: ItemRow, *, since: int, today: Renaming = dict) -> bool:
        """Put what another model makes of an item, unless it has changed since a revision; gives whether it was written.

        Args:
            today: as in `put`.

        Raises:
            StorageError: it was not written.
        """
        with self.database.writing(durable=True) as connection:
            revision = _next_revision(connection)
            earlier = _locked(connection, row.id)
            if earlier is None or earlier.revision != since:
                return False
            row = replace(row, corrected=rename(connection, row.id, today), revision=revision)
            connection.execute(update(catalog_items).where(catalog_items.c.id == row.id).values(_values(row)))
        return True

    def remove(self, item_id: str, at: datetime, *, unless_since: datetime | None = None) -> ItemRow | None:
        """Remove an item and what people said of it; gives it as it was, nothing where there is none.

        Args:
            unless_since: an item that was handed in since then stays.

        Raises:
            StorageError: it was not written.
        """
        with self.database.writing(durable=True) as connection:
            revision = _next_revision(connection)
            row = _locked(connection, item_id)
            if row is None or row.removed or (unless_since is not None and row.changed_at >= unless_since):
                return None
            gone = ItemRow(
                id=item_id, changed_at=at, by="", model_name="", model_digest="", status="",
                revision=revision, removed=True,
            )  # fmt: skip
            connection.execute(
                update(catalog_items).where(catalog_items.c.id == item_id).values(_values(gone))
            )
            forget(connection, item_id)
            _refer(connection, gone)
        return row

    def find(self, item_id: str) -> ItemRow:
        """One item.

        Raises:
            NotFoundError: there is none of that id.
        """
        found = self.find_all([item_id])
        if not found:
            raise no_item(item_id)
        return found[item_id]

    def find_all(self, item_ids: Sequence[str]) -> dict[str, ItemRow]:
        """Those of some items that are there, by their ids."""
        query = select(catalog_items).where(catalog_items.c.id.in_(item_ids), _ALIVE)
        with self.database.reading() as connection:
            return {row["id"]: _item(row) for row in connection.execute(query).mappings()}

    def head(self) -> Head:
        with self.database.reading() as connection:
            row = connection.execute(select(catalog_clock)).one()
        return Head(revision=row.revision, forgotten=row.forgotten)

    def count(self, model_digest: str) -> int:
        """Of the items that this model has placed."""
        query = select(func.count()).where(catalog_items.c.model_digest == model_digest, _ALIVE)
        with self.database.reading() as connection:
            return connection.execute(query).scalar_one()

    def models(self) -> set[str]:
        """Digests of the models that have placed the items that are there."""
        query = select(catalog_items.c.model_digest).where(_ALIVE).distinct()
        with self.database.reading() as connection:
            return set(connection.execute(query).scalars())

    def changes(self, after: int, limit: int = _PAGE) -> list[ItemRow]:
        """Items as they are now, removed ones among them, by the revision of their last change: those after a revision."""
        query = (
            select(catalog_items)
            .where(catalog_items.c.revision > after)
            .order_by(catalog_items.c.revision)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return [_item(row) for row in connection.execute(query).mappings()]

    def all(self) -> Iterator[ItemRow]:
        """Every item that is there, page by page; what changes meanwhile may be told of twice."""
        after = 0
        while page := self.changes(after):
            yield from (row for row in page if not row.removed)
            after = page[-1].revision

    def referred_to(self, sha256s: Sequence[str]) -> set[str]:
        """Those of some photos that an item has, as kept or as sent."""
        query = select(catalog_photos.c.sha256).where(catalog_photos.c.sha256.in_(sha256s)).distinct()
        with self.database.reading() as connection:
            return set(connection.execute(query).scalars())

    def unsaid(self, before: datetime, limit: int = _PAGE) -> list[str]:
        """Ids of items that were handed in before a time and of which nobody has said anything, the oldest first."""
        said = select(catalog_feedback.c.item_id)
        query = (
            select(catalog_items.c.id)
            .where(_ALIVE, catalog_items.c.changed_at < before, catalog_items.c.id.not_in(said))
            .order_by(catalog_items.c.changed_at)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return list(connection.execute(query).scalars())

    def forget(self, before: datetime) -> int:
        """Remember no more the items that were removed before a time; gives how many they were.

        Raises:
            StorageError: it was not written.
        """
        old = catalog_items.c.removed.is_(True) & (catalog_items.c.changed_at < before)
        with self.database.writing() as connection:
            newest = connection.execute(select(func.max(catalog_items.c.revision)).where(old)).scalar()
            if newest is None:
                return 0
            connection.execute(
                update(catalog_clock).values(forgotten=newest).where(catalog_clock.c.forgotten < newest)
            )
            return connection.execute(
                delete(catalog_items).where(old, catalog_items.c.revision <= newest)
            ).rowcount


def correct(connection: Connection, item_id: str, corrected: Mapping[str, str]) -> None:
    """Set what people made of an item, in the transaction of what they said."""
    connection.execute(
        update(catalog_items)
        .where(catalog_items.c.id == item_id)
        .values(corrected=dict(corrected), revision=_next_revision(connection))
    )


def locked_item(connection: Connection, item_id: str) -> ItemRow:
    """An item that nobody else changes until the transaction ends.

    Raises:
        NotFoundError: there is none of that id.
    """
    row = _locked(connection, item_id)
    if row is None or row.removed:
        raise no_item(item_id)
    return row


def no_item(item_id: str) -> NotFoundError:
    return NotFoundError(f"item '{item_id[:256]}': expected one of the catalog, found none")


def _locked(connection: Connection, item_id: str) -> ItemRow | None:
    query = select(catalog_items).where(catalog_items.c.id == item_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _item(row)


def _next_revision(connection: Connection) -> int:
    """The next number; who has it is the only writer until the transaction ends, so that they are committed in order."""
    following = (
        update(catalog_clock)
        .values(revision=catalog_clock.c.revision + 1)
        .returning(catalog_clock.c.revision)
    )
    revision: int = connection.execute(following).scalar_one()
    return revision


def _refer(connection: Connection, row: ItemRow) -> None:
    """Say which photos an item has, and no others."""
    connection.execute(delete(catalog_photos).where(catalog_photos.c.item_id == row.id))
    digests = {one for photo in row.photos for one in (photo.sha256, photo.original_sha256)}
    if digests:
        connection.execute(
            insert(catalog_photos), [{"sha256": one, "item_id": row.id} for one in sorted(digests)]
        )


def _values(row: ItemRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in ItemRow.__slots__ if name not in {"by", "photos"}}
    return values | {
        "by_user": row.by,
        "photos": [asdict(photo) for photo in row.photos],
        "unjudged": list(row.unjudged),
        "attributes": dict(row.attributes),
        "said": dict(row.said),
        "corrected": dict(row.corrected),
    }


def _item(row: RowMapping) -> ItemRow:
    values = dict(row) | {
        "photos": tuple(Photo(**photo) for photo in row["photos"]),
        "unjudged": tuple(row["unjudged"]),
    }
    return ItemRow(by=values.pop("by_user"), **values)
