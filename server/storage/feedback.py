"""What people say the catalog's items are: every word is kept, with who and when, and what it counts for.

Calls block; an event loop makes them in a thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select

from server.storage.catalog_items import CatalogItems, ItemRow, correct, locked_item
from server.storage.catalog_tables import FeedbackState, catalog_feedback
from server.storage.database import Database
from server.storage.settling import settle

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody says.

    Attributes:
        labels: by level, what is right.
        said: by level, the model's best path as it was then; `depth` of its levels had been answered for.
        reviewer: with the right to decide where people disagree.
    """

    item_id: str
    labels: Mapping[str, str]
    said: Mapping[str, str]
    depth: int
    comment: str
    by: str
    reviewer: bool
    at: datetime
    state: FeedbackState = FeedbackState.ACCEPTED

    def counting(self, state: FeedbackState) -> "Word":
        """The same word, with what it counts for."""
        return replace(self, state=state)


@dataclass(frozen=True, slots=True)
class FeedbackBook:
    """What was said of all items."""

    database: Database

    def add(self, word: Word) -> FeedbackState:
        """Keep a word, settle anew what all words on its item count for, and correct the item by them.

        Raises:
            NotFoundError: there is no such item.
            StorageError: it was not written.
        """
        with self.database.writing(durable=True) as connection:
            item = locked_item(connection, word.item_id)
            connection.execute(insert(catalog_feedback).values(_values(word)))
            states, corrected = settle(connection, word.item_id)
            if corrected != item.corrected:
                correct(connection, word.item_id, corrected)
        return states[-1]

    def words(self, state: FeedbackState) -> Iterator[tuple[ItemRow, Word]]:
        """Every word in a state, in the order in which they were given, with its item; page by page."""
        items = CatalogItems(self.database)
        query = (
            select(catalog_feedback)
            .where(catalog_feedback.c.state == state)
            .order_by(catalog_feedback.c.id)
            .limit(_PAGE)
        )
        after = 0
        while True:
            with self.database.reading() as connection:
                rows = connection.execute(query.where(catalog_feedback.c.id > after)).mappings().all()
            there = items.find_all([row["item_id"] for row in rows])
            for row in rows:
                if row["item_id"] in there:
                    yield there[row["item_id"]], _word(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1]["id"]


def _values(word: Word) -> dict[str, Any]:
    values = {name: getattr(word, name) for name in Word.__slots__ if name != "by"}
    return values | {"by_user": word.by, "labels": dict(word.labels), "said": dict(word.said)}


def _word(row: RowMapping) -> Word:
    values = {name: row[name] for name in Word.__slots__ if name != "by"}
    return Word(by=row["by_user"], **values)
