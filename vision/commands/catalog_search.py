"""`loupe catalog search` and `blemish`: products found again on a server, and customers' photos of them judged."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.catalog_remote import (
    HERE,
    ModelOption,
    ServerOption,
    category_as_json,
    pairs,
    path_tree,
)
from vision.commands.output import JsonFlag, Output
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, needing_grpc, open_client
from vision.commands.verdicts import judgement
from vision.files import write_bytes

if TYPE_CHECKING:  # part of an extra
    from vision.client.catalog_values import KeptCategory


def search(
    context: typer.Context,
    image: Annotated[Path | None, typer.Argument(help="A picture to search by.", show_default=False)] = None,
    item: Annotated[
        str, typer.Option(help="Search by a product that is kept instead.", show_default=False)
    ] = "",
    text: Annotated[
        str,
        typer.Option(help="Search by names of categories and values of attributes.", show_default=False),
    ] = "",
    category: Annotated[
        list[str],
        typer.Option("--category", help="In this category; may come several times.", show_default=False),
    ] = [],  # noqa: B006  (typer reads the default)
    attribute: Annotated[
        list[str],
        typer.Option("--attribute", help="NAME=VALUE; may come several times.", show_default=False),
    ] = [],  # noqa: B006  (as above)
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 10,
    model: ModelOption = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Find products that a server keeps: by a picture, like another one, or by words.

    By a picture, products of the kinds that the model takes it for come before others that look as much like it.
    Words are understood through the taxonomy's names and synonyms, in all its languages, and the attributes that the model knows.

    Example: `loupe catalog search street-photo.jpg --category shoes --attribute season=Summer`

    Example: `loupe catalog search --text "summer sandals" --limit 20`
    """
    if sum([image is not None, bool(item), bool(text)]) != 1:
        context.fail("Expected a picture, --item or --text.")
    asked = pairs(attribute, "--attribute")
    place = Server(address=server, model=model, token_file=token_file, tls_ca=tls_ca)
    with open_client(place) as client:
        found = client.catalog.search(
            image=image, item_id=item, text=text, categories=category,
            attributes={name: [value] for name, value in asked.items()}, limit=limit, model=model,
        )  # fmt: skip
    table = Table("product", "alike", *(["of its kind"] if image else []), "category", "title")
    for one in found.items:
        table.add_row(
            escape(one.item_id),
            f"{one.similarity:.3f}",
            *([f"{one.kind_probability:.2f}"] if image else []),
            escape(" > ".join(one.labels)),
            escape(one.title[:60]),
        )
    parts: list[Any] = [table]
    if text:
        values = [f"{name} {', '.join(one)}" for name, one in found.attributes.items()]
        said = f"understood: {', '.join([*found.categories, *values])}"
        rest = f"; not understood: {' '.join(found.not_understood)}" if found.not_understood else ""
        parts.append(escape(said + rest))
    Output(json).result(
        {
            "model": asdict(found.model),
            "items": [asdict(one) for one in found.items],
            "understood": {"categories": list(found.categories), "attributes": dict(found.attributes)},
            "not_understood": list(found.not_understood),
        },
        *parts,
    )


def blemish(
    image: Annotated[Path, typer.Argument(help="A customer's photo of a product.", show_default=False)],
    item: Annotated[
        str,
        typer.Option(help="The kept product that it shows; its category is known then.", show_default=False),
    ] = "",
    title: Annotated[str, typer.Option(help="The product's title.", show_default=False)] = "",
    attribute: Annotated[
        list[str],
        typer.Option("--attribute", help="NAME=VALUE; may come several times.", show_default=False),
    ] = [],  # noqa: B006  (typer reads the default)
    heatmap: Annotated[
        Path | None, typer.Option(help="Write the photo with the evidence over it to this PNG.")
    ] = None,
    model: ModelOption = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Look for blemishes in a customer's photo, by the inspection model that the product's category is routed to.

    Routes are the server's: `[catalog.blemish]` in its loupe.toml.

    Example: `loupe catalog blemish returned-shoe.jpg --title "Court sneakers" --heatmap why.png`

    Example: `loupe catalog blemish returned-shoe.jpg --item SKU-12`
    """
    with needing_grpc():
        from vision.client import Product  # noqa: PLC0415  (part of an extra)

    product = Product(item_id=item, photos=(image,), title=title, attributes=pairs(attribute, "--attribute"))
    place = Server(address=server, model=model, token_file=token_file, tls_ca=tls_ca)
    with open_client(place) as client:
        found = client.catalog.check_blemish(product, model=model, heatmap=heatmap is not None)
    value: dict[str, Any] = {
        "image": str(image),
        "item": asdict(found.item) if found.item else None,
        "category": category_as_json(found.category) if found.category else None,
        "category_model": asdict(found.category_model) if found.category_model else None,
        "routed_by": found.routed_by or None,
        **judgement(found.inspection.verdict),
        "result_id": found.inspection.result_id,
        "model": asdict(found.inspection.model),
    }
    if heatmap is not None and found.inspection.heatmap is not None:
        write_bytes(heatmap, found.inspection.heatmap)
        value["heatmap"] = str(heatmap)
    verdict, by = found.inspection.verdict, found.routed_by or "the default"
    Output(json).result(
        value,
        path_tree(found.category) if found.category else _kept_as(found.item),
        escape(
            f"{verdict.decision.value} by {found.inspection.model.name} (routed by {by}): {verdict.detail}"
        ),
    )


def _kept_as(item: "KeptCategory | None") -> str:
    if item is None or not item.labels:
        return "a kept product that nobody has placed"
    who = "by people" if item.corrected else "by the model"
    return escape(f"{item.item_id}: {' > '.join(item.labels.values())}, placed {who}")
