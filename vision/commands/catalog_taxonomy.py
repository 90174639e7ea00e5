"""`loupe catalog taxonomy`: check a file of categories, show its tree, and what changed since another one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from vision.catalog.taxonomy import Category, Taxonomy
from vision.catalog.taxonomy_changes import Changes, changes
from vision.catalog.taxonomy_files import read_taxonomy
from vision.commands.output import JsonFlag, Output

_SHOWN: Final = 200  # lines of the tree, and of the changes


def taxonomy(
    file: Annotated[Path, typer.Argument(help="CSV or JSON, see docs/reference.md.", show_default=False)],
    levels: Annotated[
        str,
        typer.Option(
            help="Levels from the coarsest, with commas between: columns of a CSV with one row a leaf.",
            show_default=False,
        ),
    ] = "",
    against: Annotated[
        Path | None, typer.Option(help="An older file, to show what changed since.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Check a taxonomy and show its tree; exit 2 with its faults where it has some.

    Example: `loupe catalog taxonomy taxonomy.csv --levels coarse_label,mid_label,fine_label`
    """
    named = tuple(level.strip() for level in levels.split(",")) if levels else ()
    read = read_taxonomy(file, levels=named)
    value: dict[str, Any] = {
        "file": str(file),
        "version": read.version,
        "levels": {level: len(read.labels(level)) for level in read.levels},
        "categories": len(read.categories),
        "paths": len(read.paths),
        "moved": sum(map(len, read.moved.values())),
    }
    shown: list[RenderableType] = [_counts(read), _tree(read, file.name)]
    if against is not None:
        found = changes(read_taxonomy(against, levels=named), read)
        value["changes"] = asdict(found)
        shown.append(_changes(found))
    Output(json).result(value, *shown)


def _counts(taxonomy: Taxonomy) -> Table:
    table = Table("level", "categories", "classes", title="Levels", title_justify="left")
    for level in taxonomy.levels:
        own = sum(category.level == level for category in taxonomy.categories)
        table.add_row(escape(level), str(own), str(len(taxonomy.labels(level))))
    return table


def _tree(taxonomy: Taxonomy, title: str) -> Tree:
    """A category with several parents stands under each; the number is that of the leaves below."""
    leaves: Counter[tuple[Category, ...]] = Counter()
    for path in taxonomy.paths.tolist():
        way = _way(taxonomy, path)
        leaves.update(way[: depth + 1] for depth in range(len(way)))
    root = Tree(escape(title))
    nodes: dict[tuple[Category, ...], Tree] = {(): root}
    for way, count in islice(leaves.items(), _SHOWN):
        nodes[way] = nodes[way[:-1]].add(_line(way[-1], count))
    if len(leaves) > _SHOWN:
        root.add(f"[dim]… {len(leaves) - _SHOWN} more[/dim]")
    return root


def _way(taxonomy: Taxonomy, path: Sequence[int]) -> tuple[Category, ...]:
    """The categories of a path, a leaf once however far it is carried down."""
    labels = zip(taxonomy.levels, path, strict=True)
    way = (taxonomy.category(level, taxonomy.labels(level)[index]) for level, index in labels)
    return tuple(dict.fromkeys(way))


def _line(category: Category, leaves: int) -> str:
    names = ", ".join(dict.fromkeys(name for name in category.names.values() if name != category.id))
    said = f"{escape(category.id)} [dim]{escape(names)}[/dim]" if names else escape(category.id)
    return f"{said} [cyan]{leaves}[/cyan]" if leaves > 1 else said


def _changes(found: Changes) -> Table:
    table = Table("", "level", "category", "before", "after", title="Changes", title_justify="left")
    rows = [(one.name, change) for one in fields(found) for change in getattr(found, one.name)]
    for kind, change in rows[:_SHOWN]:
        table.add_row(kind, *map(escape, (change.level, change.id, change.before, change.after)))
    if len(rows) > _SHOWN:
        table.add_row("…", f"{len(rows) - _SHOWN} more; --json prints all")
    return table
