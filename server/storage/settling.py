"""What was said of one item, within the transaction of whoever changes the item: settled, put into today's words, forgotten."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, RowMapping, delete, select, update

from server.storage.catalog_tables import FeedbackState, catalog_feedback
from server.storage.opinions import Opinion, agreed, settled

Renaming = Callable[[Mapping[str, str]], dict[str, str]]
"""Labels by level, as they are called today."""


def settle(connection: Connection, item_id: str) -> tuple[list[FeedbackState], dict[str, str]]:
    """Note what each word on an item counts for; gives that, and what the item is by them."""
    query = (
        select(catalog_feedback).where(catalog_feedback.c.item_id == item_id).order_by(catalog_feedback.c.id)
    )
    rows = connection.execute(query).mappings().all()
    opinions = [_opinion(row) for row in rows]
    states = settled(opinions)
    for row, state in zip(rows, states, strict=True):
        if row["state"] is not state:
            connection.execute(
                update(catalog_feedback).where(catalog_feedback.c.id == row["id"]).values(state=state)
            )
    return states, agreed(opinions, states)


def rename(connection: Connection, item_id: str, today: Renaming) -> dict[str, str]:
    """Put every word on an item into today's labels; gives what the item is by them then."""
    query = select(catalog_feedback).where(catalog_feedback.c.item_id == item_id)
    for row in connection.execute(query).mappings().all():
        values = {name: today(row[name]) for name in ("labels", "said")}
        if any(row[name] != value for name, value in values.items()):
            connection.execute(
                update(catalog_feedback).where(catalog_feedback.c.id == row["id"]).values(values)
            )
    return settle(connection, item_id)[1]


def forget(connection: Connection, item_id: str) -> None:
    connection.execute(delete(catalog_feedback).where(catalog_feedback.c.item_id == item_id))


def _opinion(row: RowMapping) -> Opinion:
    return Opinion(by=row["by_user"], labels=row["labels"], reviewer=row["reviewer"])
