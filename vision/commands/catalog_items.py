"""`loupe catalog index` and `remove`: which products a server keeps."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer
from rich.markup import escape
from rich.table import Table

from vision.catalog.bulk.items import Columns, choose_columns, count_rows, photos_of, read_rows
from vision.commands.catalog_remote import (
    HERE,
    ModelOption,
    ServerOption,
    category_as_json,
    pairs,
    path_tree,
)
from vision.commands.output import JsonFlag, Output, bar
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, needing_grpc, open_client
from vision.errors import LoupeError, ManifestError
from vision.image import IMAGE_SUFFIXES

if TYPE_CHECKING:  # gRPC is part of an extra
    from vision.client.catalog_values import Indexed, Product

_SPLIT: Final = "split"
Faults: TypeAlias = list[dict[str, str]]


def index(
    context: typer.Context,
    images: Annotated[
        list[Path], typer.Argument(help="Photos of one product; or one folder of them.", show_default=False)
    ] = [],  # noqa: B006  (typer reads the default)
    item: Annotated[str, typer.Option(help="The product's id, the shop's own.", show_default=False)] = "",
    title: Annotated[str, typer.Option(help="Its title, in any language.", show_default=False)] = "",
    attribute: Annotated[
        list[str],
        typer.Option("--attribute", help="NAME=VALUE; may come several times.", show_default=False),
    ] = [],  # noqa: B006  (as above)
    table: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="A table of products, .csv or .parquet: id, path or paths, split, and what it names.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--images", help="The folder that the table's paths are in.", show_default=False),
    ] = None,
    title_column: Annotated[str | None, typer.Option(help="The table's column of titles.")] = None,
    attribute_columns: Annotated[
        str, typer.Option(help="The table's columns of attributes, with commas between.", show_default=False)
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            help="train, val or test, where the table does not say: of the test set nothing is ever learned.",
            show_default=False,
        ),
    ] = "",
    model: ModelOption = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Keep products on a server, where they are found from then on; one whose id is there already is replaced.

    A folder's pictures are a product each, named by their files. What a photo says beside its pixels, such as where it was taken, is not
    kept. Other products with the same picture are told. Of rows with the same id the first is kept. Exit 2 where some could not be kept;
    the others are.

    Example: `loupe catalog index shoe.jpg --item SKU-12 --title "Court sneakers" --attribute season=Summer`

    Example: `loupe catalog index photos/`

    Example: `loupe catalog index --input items.csv --images photos --attribute-columns season,gender`

    Example: `loupe catalog index test-set/ --split test`
    """
    with needing_grpc():
        from vision.client import Product  # noqa: PLC0415  (part of an extra)

    output = Output(json)
    place = Server(address=server, model=model, token_file=token_file, tls_ca=tls_ca)
    if table is not None:
        if images or item:
            context.fail("--input goes without pictures and --item.")
        columns = choose_columns(
            table,
            title=title_column,
            usual_titles=("title",),
            attributes=[*(one.strip() for one in attribute_columns.split(",") if one.strip()), _SPLIT],
        )
        total, again = count_rows(table, columns)
        faults: Faults = []
        products = _rows(table, columns, folder or table.parent, again, split, faults)
        _many(place, products, total, faults, output)
    elif len(images) == 1 and images[0].is_dir():
        found = pictures_of(images[0])
        products = (Product(item_id=name, photos=(one,), split=split) for name, one in found.items())
        _many(place, products, len(found), [], output)
    elif not (images and item):
        context.fail("Expected pictures of a product and --item, a folder of pictures, or --input.")
    else:
        one = Product(
            item_id=item,
            photos=tuple(images),
            title=title,
            attributes=pairs(attribute, "--attribute"),
            split=split,
        )
        with open_client(place) as client:
            kept = client.catalog.index(one, model=model)
        output.result(_kept_as_json(kept), *_kept_shown(kept))


def remove(
    items: Annotated[list[str], typer.Argument(help="Ids of products.", show_default=False)],
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Have a server forget products, their photos and what people said of them.

    Example: `loupe catalog remove SKU-12 SKU-13`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    with open_client(place) as client:
        removed = {one: client.catalog.remove(one) for one in items}
    Output(json).result(
        {"removed": removed},
        escape("\n".join(f"{one}: {'removed' if was else 'was not there'}" for one, was in removed.items())),
    )


def pictures_of(folder: Path) -> dict[str, Path]:
    """A folder's pictures by the ids that they give their products: their names without the ending.

    Raises:
        ManifestError: two of them would be one product.
    """
    found: dict[str, Path] = {}
    for one in sorted(folder.iterdir()):
        if one.suffix.lower() in IMAGE_SUFFIXES and found.setdefault(one.stem, one) != one:
            raise ManifestError(
                f"{folder}: expected names that differ before the ending, each a product's id, "
                f"found '{found[one.stem].name}' and '{one.name}'"
            )
    return found


def _rows(
    table: Path, columns: Columns, images: Path, again: Mapping[int, int], split: str, faults: Faults
) -> "Iterator[Product]":
    """The table's products, but for those rows that are none: they go to `faults`."""
    from vision.client import Product  # noqa: PLC0415  (part of an extra)

    for row in read_rows(table, columns):
        try:
            photos = photos_of(row, images, again)
        except LoupeError as error:
            faults.append({"item": row.id, "error": str(error)})
            continue
        told = dict(row.attributes)
        own = told.pop(_SPLIT, "").strip()
        yield Product(item_id=row.id, photos=photos, title=row.title, attributes=told, split=own or split)


def _many(place: Server, products: "Iterable[Product]", total: int, faults: Faults, output: Output) -> None:
    """Keep them and say what became of them; `faults` are those that `products` finds meanwhile."""
    replaced, duplicates = 0, list[dict[str, Any]]()
    with open_client(place) as client, bar() as progress:
        task = progress.add_task("indexing", total=total, note="")
        for outcome in client.catalog.index_many(products, model=place.model):
            if isinstance(outcome.result, LoupeError):
                faults.append({"item": outcome.item_id, "error": str(outcome.result)})
            else:
                kept = outcome.result
                replaced += getattr(kept, "replaced", False)
                duplicates += [
                    {"item": outcome.item_id, **asdict(one)} for one in getattr(kept, "duplicates", ())
                ]
            progress.update(task, advance=1, note=f"{len(faults)} not kept")
    shown = Table("product", "why it is not kept")
    for fault in faults[:50]:
        shown.add_row(escape(fault["item"]), escape(fault["error"]))
    told = f"{total - len(faults)} of {total} products kept, {replaced} of them replaced; {len(duplicates)} photos are another's"
    output.result(
        {
            "products": total,
            "kept": total - len(faults),
            "replaced": replaced,
            "duplicates": duplicates,
            "faults": faults,
        },
        *([shown] if faults else []),
        told,
    )
    if faults:
        raise typer.Exit(2)


def _kept_as_json(kept: "Indexed") -> dict[str, Any]:
    return {
        "item": kept.item_id,
        "replaced": kept.replaced,
        "model": asdict(kept.model),
        "category": category_as_json(kept.category),
        "duplicates": [asdict(one) for one in kept.duplicates],
        "photos": list(kept.photo_sha256s),
        "timings": asdict(kept.timings),
    }


def _kept_shown(kept: "Indexed") -> list[Any]:
    how = "replaced" if kept.replaced else "kept"
    lines = [f"{kept.item_id}: {how}, {len(kept.photo_sha256s)} photos without metadata"]
    lines += [
        f"photo {one.uploaded} is {'that' if one.kind == 'same' else 'a copy of one'} of {one.item_id}"
        for one in kept.duplicates
    ]
    return [path_tree(kept.category), escape("\n".join(lines))]
