"""`loupe catalog rebuild`: the search indexes made anew from the database, while no server runs."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.config import read_config
from server.indexing import Follower
from server.logs import configure
from server.storage.catalog_items import CatalogItems
from server.storage.database import open_database
from vision.commands.output import JsonFlag, Output


def rebuild_indexes(
    config: Annotated[Path | None, typer.Option(help="The server's loupe.toml.", show_default=False)] = None,
    json: JsonFlag = False,
) -> None:
    """Make the search indexes of a stopped server anew from its database.

    A server does so by itself at its start where an index is missing or damaged; this is for when one is to be made in peace.

    Example: `loupe catalog rebuild --config loupe.toml`
    """
    configure(as_json=False)
    effective = read_config(config, {"models": None if config else "models"})
    database = open_database(effective.storage.database, create=False)
    try:
        items, found = CatalogItems(database), Counter[tuple[str, int]]()
        for row in items.all():
            found[row.model_digest, len(row.vectors) // len(row.photos)] += 1
        for digest, dimension in found:
            folder = effective.catalog.index / digest[:16]
            folder.with_name(f"{folder.name}.seen").unlink(missing_ok=True)
            Follower(items, folder, digest, dimension).close()
    finally:
        database.close()
    indexes = {digest: count for (digest, _), count in found.items()}
    Output(json).result(
        {"indexes": indexes},
        escape(
            "\n".join(f"model {digest[:16]}: {count} items" for digest, count in indexes.items())
            or "no items"
        ),
    )
