"""`loupe catalog compare`: is a new catalog model better than the one in use?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from training.catalog.compare import Comparison, Paired, compare_bundles
from training.catalog.corrections import read_corrections
from training.commands.options import Data, GroupColumn, Images, SplitColumn, Where, items_of, manifest_of
from training.manifest import Item
from vision.bundle import open_bundle
from vision.catalog.spec import CatalogSpec, catalog_spec
from vision.commands.output import JsonFlag, Output, bar


def compare(
    first: Annotated[Path, typer.Argument(help="The bundle in use.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="The one to publish.", show_default=False)],
    data: Data,
    images: Images = None,
    split: Annotated[str, typer.Option(help="The frozen test split.")] = "test",
    corrected: Annotated[
        Path | None,
        typer.Option(
            help="The manifest of corrected items that `loupe catalog lessons` writes, its photos beside it."
        ),
    ] = None,
    split_column: SplitColumn = "split",
    group_column: GroupColumn = "group",
    where: Where = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Compare two catalog bundles on the same items, level by level, with McNemar's exact test, and say publish or not.

    The second is worth publishing when it is better beyond chance at the finest level on the test items, and worse on neither them nor
    the corrected ones: on these alone any other model looks better, since the one that placed them was wrong. One picture of each product
    counts, and products that a model learned from are left out.

    Example: `loupe catalog compare shop-1.0 shop-1.1 --data manifest.csv --images pictures --corrected corrections/manifest.csv`
    """
    output = Output(json)
    old, new = open_bundle(first), open_bundle(second)
    specs = [catalog_spec(one) for one in (old, new)]
    levels = specs[0].levels
    test = items_of(manifest_of(data, images, split_column, group_column, where, label_columns=levels), split)
    further = corrections(corrected, specs) if corrected else ()
    with bar() as progress:
        task = progress.add_task("scoring", total=2 * (len(test) + len(further)), note="")
        found = compare_bundles(old, new, test, further, advance=lambda n: progress.advance(task, n))
    if found.learned_from:
        output.warn(f"{found.learned_from} pictures are left out: a model learned from these products")
    if further and not found.corrected:
        output.warn("no corrected item is left to judge by; keep some of the next ones out of training")
    facts = {"first": str(first), "second": str(second), "split": split, **found.to_json()}
    output.result(facts, table(found), found.why)


def corrections(file: Path, specs: Sequence[CatalogSpec]) -> tuple[Item, ...]:
    """Corrected items, as each of several models reads them.

    Raises:
        ManifestError: as `read_corrections`.
    """
    return read_corrections(
        file,
        levels=specs[0].levels,
        titles=[one.title_column for one in specs if one.title_column],
        attributes=[name for one in specs for name in one.attribute_names],
    )


def table(found: Comparison) -> Table:
    """Both models side by side, for a terminal."""
    shown = Table(
        "items", "level", "n", "first", "second", "only first", "only second", "p", title_justify="left"
    )
    for where, levels in (("test", found.test), ("corrected", found.corrected)):
        for level, one in levels.items():
            shown.add_row(where, escape(level), *_cells(one))
    return shown


def _cells(one: Paired) -> tuple[str, ...]:
    rates = (f"{each.value or 0:.3f}" for each in (one.first, one.second))
    return (str(one.n), *rates, str(one.only_first), str(one.only_second), f"{one.p_value:.3g}")
