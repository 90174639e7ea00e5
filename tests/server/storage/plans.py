"""How a database would go about what the code asks it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from server.storage.database import Database


def plans(database: Database, ask: Callable[[], object]) -> list[str]:
    """The plan of each query that `ask` makes."""
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def remember(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    ask()
    event.remove(database.engine, "before_cursor_execute", remember)
    postgresql = database.engine.dialect.name == "postgresql"
    with database.reading() as connection:
        if postgresql:  # a table with next to nothing in it is read faster without an index
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN" if postgresql else "EXPLAIN QUERY PLAN"
        return [
            str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
            for statement, parameters in asked
            if statement.startswith("SELECT")
        ]
