"""Old rows of a ledger go, and are counted when they do: an account that balances needs the totals, not the rows.

A few rows are deleted in the transaction of what is written anyway, so that no part waits for a commit more. Rows that a server has
acknowledged go when they are old; beyond a hard limit, the oldest go in any case, and are counted as discarded. A row without an outcome stays.
Used by the ledger's thread alone.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

SCHEMA: Final = """
CREATE TABLE pruned (
  outcome TEXT PRIMARY KEY,
  parts INTEGER NOT NULL,
  discarded INTEGER NOT NULL
) STRICT;
"""
AT_ONCE: Final = 64  # rows that a commit deletes beside what it writes: well below a millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many rows stay.

    Attributes:
        keep_rows: the newest ones, which stay also when they are acknowledged.
        max_rows: older ones go, acknowledged or not.
    """

    keep_rows: int
    max_rows: int


class Pruning:
    """The deleting side of a ledger.

    Attributes:
        discarded: rows that were deleted, ever, before a server had acknowledged them.
    """

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self._connection, self._limits = connection, limits
        self._first, self._newest, self.discarded = connection.execute(
            "SELECT coalesce(min(part), 1), coalesce(max(part), 0), coalesce((SELECT sum(discarded) FROM pruned), 0) FROM part"
        ).fetchone()
        self._done = (self._first, self.discarded)  # what holds once the transaction is committed

    def step(self, newest: int, acknowledged: int) -> None:
        """Delete some of the rows that may go, in the transaction under way; nothing holds before `committed`.

        Args:
            newest: the highest part that this transaction speaks of.
            acknowledged: a server has every part up to this one.
        """
        self._newest = max(self._newest, newest)
        first, last = self._first, self._last_to_go(acknowledged)
        self._done = (first, self.discarded)
        if last < first:
            return
        self._connection.execute(
            "INSERT INTO pruned SELECT outcome, count(*), sum(part > ?) FROM part WHERE part BETWEEN ? AND ? GROUP BY outcome "
            "ON CONFLICT (outcome) DO UPDATE SET parts = parts + excluded.parts, discarded = discarded + excluded.discarded",
            (acknowledged, first, last),
        )
        self._connection.execute("DELETE FROM part WHERE part BETWEEN ? AND ?", (first, last))
        self._done = (last + 1, self.discarded + max(0, last - max(acknowledged, first - 1)))

    def committed(self) -> None:
        """What `step` did is durable."""
        self._first, self.discarded = self._done

    def _last_to_go(self, acknowledged: int) -> int:
        limits = self._limits
        may_go = max(min(acknowledged, self._newest - limits.keep_rows), self._newest - limits.max_rows)
        last = min(may_go, self._first + AT_ONCE - 1)
        (still_open,) = self._connection.execute(
            "SELECT min(part) FROM part WHERE outcome IS NULL AND part <= ?", (last,)
        ).fetchone()
        return last if still_open is None else int(still_open) - 1


def totals(connection: sqlite3.Connection) -> list[tuple[str | None, int, int]]:
    """Deleted rows by outcome, and how many of each were discarded; none in a ledger of an older Loupe."""
    (known,) = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'pruned'").fetchone()
    return connection.execute("SELECT outcome, parts, discarded FROM pruned").fetchall() if known else []
