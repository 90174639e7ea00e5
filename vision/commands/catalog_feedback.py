"""`loupe catalog feedback` and `lessons`: say what products are, and take away what is to be learned from that."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.catalog_remote import HERE, ServerOption, pairs
from vision.commands.output import JsonFlag, Output
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, open_client
from vision.errors import InputError, SettingsError
from vision.files import write_bytes

if TYPE_CHECKING:  # gRPC is part of an extra
    from vision.client.catalog_values import FeedbackRow

_SIGNATURES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"))


def feedback(
    item: Annotated[str, typer.Argument(help="The product's id.", show_default=False)],
    labels: Annotated[
        list[str],
        typer.Argument(
            help="What is right, LEVEL=LABEL; levels that follow need not be told.", show_default=False
        ),
    ],
    comment: Annotated[str, typer.Option(help="What else is to be remembered.")] = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Say what a product that a server keeps really is; it is recorded under the name that the token belongs to.

    Where people disagree, it waits until somebody with the role review has said what is right.

    Example: `loupe catalog feedback SKU-12 kind=sandals --comment "open toes" --token-file kim.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    with open_client(place) as client:
        given = client.catalog.submit_feedback(item, pairs(labels, "labels"), comment=comment)
    said = " > ".join(given.labels.values())
    Output(json).result(
        {"item": item, "by": given.by, "state": given.state.value, "labels": dict(given.labels)},
        escape(f"{item}: {said}, says {given.by}: {given.state.value}"),
    )


def lessons(
    out: Annotated[
        Path | None,
        typer.Option(help="A folder for the training manifest and the photos.", show_default=False),
    ] = None,
    disputed: Annotated[
        bool, typer.Option("--disputed", help="List what people disagree on instead.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help="Of the products that this model has placed; else of all. Give it where several are served."
        ),
    ] = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Take away what people corrected and what was hard, as `manifest.csv` beside the photos; never of the frozen test set.

    Train with `loupe train --task catalog --data MANIFEST --corrected OUT/manifest.csv`, the manifest being that of the other products: what
    was corrected is too little to learn from alone. With `--disputed`: list what waits for a reviewer.

    Example: `loupe catalog lessons --out corrections --token-file ada.token`

    Example: `loupe catalog lessons --disputed --token-file ada.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    if not disputed and out is None:
        raise SettingsError("expected --out or --disputed, found neither")
    with open_client(place) as client:
        found = client.catalog.export_feedback(model=model, disputed=disputed, photos=not disputed)
    counts = {
        "corrections": found.corrections,
        "hard_cases": found.hard_cases,
        "confirmations": found.confirmations,
        "frozen": found.frozen,
        "disputed": found.disputed,
    }
    output = Output(json)
    if disputed or out is None:
        output.result({"rows": [_as_json(one) for one in found.rows], **counts}, _table(found.rows))
        return
    without = [one for one in found.rows if not all(one.photos)]
    kept = [one for one in found.rows if all(one.photos)]
    write_bytes(out / "manifest.csv", exported(kept, out).encode())
    output.result(
        {"manifest": str(out / "manifest.csv"), "rows": len(kept), "without_photo": len(without), **counts},
        escape(
            f"{out / 'manifest.csv'}: {found.corrections} corrections, {found.hard_cases} hard cases; left out: "
            f"{found.confirmations} confirmed, {found.frozen} of the test set, {found.disputed} disputed"
        ),
    )


def exported(rows: Sequence["FeedbackRow"], out: Path) -> str:
    """The manifest: a row a photo, which is written beside it; the group is the product, so that its photos stay together."""
    levels = list(dict.fromkeys(level for one in rows for level in one.said))
    fixed = ["path", *levels, "title", "split", "group", "feedback", "by", "at"]
    if len(set(fixed)) < len(fixed):
        twice = next(name for name in fixed if fixed.count(name) > 1)
        raise InputError(f"manifest: expected levels with names of their own, found a level '{twice}'")
    columns = _attribute_columns({name for one in rows for name in one.attributes}, fixed)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*fixed, *columns])
    for one in rows:
        for sha256, photo in zip(one.photo_sha256s, one.photos, strict=True):
            suffix = next((end for start, end in _SIGNATURES if photo.startswith(start)), ".png")
            path = Path("photos") / f"{sha256}{suffix}"
            write_bytes(out / path, photo)
            table.writerow(
                [
                    path.as_posix(), *(one.labels.get(level, "") for level in levels), one.title,
                    one.split or "train", one.item_id, one.kind.value, one.by, one.at.isoformat(),
                    *(one.attributes.get(name, "") for name in columns.values()),
                ]
            )  # fmt: skip
    return text.getvalue()


def _attribute_columns(names: Iterable[str], fixed: Collection[str]) -> dict[str, str]:
    """Attributes by the column they are in: their own names, or longer ones where a reader would take them for something else."""
    columns: dict[str, str] = {}
    for name in sorted(names, key=lambda one: (one.strip() in fixed, one)):  # the others keep their names
        column = name.strip()
        while column in fixed or column in columns:
            column = f"attribute_{column}"
        columns[column] = name
    return columns


def _as_json(row: "FeedbackRow") -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "photos"}


def _table(rows: Sequence["FeedbackRow"]) -> Table:
    shown = Table("product", "says", "what", "the model says", "comment")
    for one in rows:
        shown.add_row(
            escape(one.item_id), escape(one.by), escape(" > ".join(one.labels.values())),
            escape(" > ".join(one.said.values())), escape(one.comment),
        )  # fmt: skip
    return shown
