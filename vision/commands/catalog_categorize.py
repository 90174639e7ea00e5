"""`loupe catalog categorize`: one product's place in the tree and why, or a whole table of products."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from vision.bundle import open_bundle
from vision.catalog.bulk.here import Here
from vision.catalog.bulk.items import choose_columns
from vision.catalog.bulk.job import Account, Job, run
from vision.catalog.bulk.products import Categorizes
from vision.catalog.bulk.results import FAULT, check_target
from vision.catalog.categorize import Asked, Categorizer, open_categorizer
from vision.catalog.item import Item
from vision.catalog.reasons import Reasons, reasons
from vision.commands.catalog_remote import Told, answering_there, categorize_on, pairs
from vision.commands.categorizations import as_json, reasons_as_json, shown, shown_reasons
from vision.commands.options import TrustedKeys, trust
from vision.commands.output import JsonFlag, Output, bar
from vision.commands.remote import ModelOption, Server, ServerOption, TlsCaOption, TokenFileOption
from vision.errors import SettingsError
from vision.files import write_bytes
from vision.image import Pixels, encode_png
from vision.inspection.heatmap import hottest_region, overlay
from vision.preprocess import prepare_file
from vision.qualify import Choice, choose

Images = Annotated[list[Path], typer.Argument(help="Photos of one product.", show_default=False)]
BundleOption = Annotated[
    Path | None, typer.Option(help="A bundle folder or .loupe file.", show_default=False)
]
Title = Annotated[str, typer.Option(help="Its title, in any language.", show_default=False)]
Attributes = Annotated[
    list[str], typer.Option("--attribute", help="NAME=VALUE; may come several times.", show_default=False)
]
Language = Annotated[str, typer.Option(help="Of the categories' names, such as zh.")]
Explaining = Annotated[
    bool, typer.Option("--explain", help="Say which words, attributes and photos counted, and how much.")
]
Heatmap = Annotated[
    Path | None, typer.Option(help="Write the photos side by side with the evidence over them to this PNG.")
]
Input = Annotated[
    Path | None, typer.Option("--input", help="A table of products, .csv or .parquet.", show_default=False)
]
Folder = Annotated[
    Path | None,
    typer.Option("--images", help="The folder that the table's paths are in.", show_default=False),
]
Out = Annotated[Path | None, typer.Option(help="Where results go, .csv or .parquet.", show_default=False)]
TitleColumn = Annotated[
    str | None,
    typer.Option(help="The table's column of titles; 'title' where it is there.", show_default=False),
]


def categorize(
    context: typer.Context,
    bundle: BundleOption = None,
    images: Images = [],  # noqa: B006  (typer reads the default)
    title: Title = "",
    attribute: Attributes = [],  # noqa: B006  (as above)
    language: Language = "en",
    explaining: Explaining = False,
    heatmap: Heatmap = None,
    items: Input = None,
    folder: Folder = None,
    out: Out = None,
    title_column: TitleColumn = None,
    trusted_key: TrustedKeys = [],  # noqa: B006  (as above)
    server: ServerOption = None,
    model: ModelOption = None,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Place a product, or a table of products, in the shop's tree of categories.

    Of one product any of photos, title and attributes will do. Of a table each row is answered, and a row that cannot be says why in its
    column `error`; the exit code is then 2. Interrupted, the same command goes on where it was.

    Example: `loupe catalog categorize shoe.jpg sole.jpg --bundle shop.loupe --title "Court sneakers" --attribute season=summer --explain`

    Example: `loupe catalog categorize shoe.jpg --server 127.0.0.1:50051 --title "Court sneakers"`

    Example: `loupe catalog categorize --bundle shop.loupe --input items.csv --images photos --out results.parquet`

    Example: `loupe catalog categorize --server shop-server:50051 --tls-ca ca.pem --input items.csv --images photos --out results.parquet`
    """
    output = Output(json)
    one_alone = {
        "IMAGE": images,
        "--title": title,
        "--attribute": attribute,
        "--explain": explaining,
        "--heatmap": heatmap,
    }
    table_alone = {"--images": folder, "--out": out, "--title-column": title_column}
    _refuse(context, *((one_alone, "without --input") if items else (table_alone, "with --input alone")))
    if (bundle is None) == (server is None):
        context.fail("Expected --bundle or --server.")
    place = Server(address=server or "", model=model or "", token_file=token_file, tls_ca=tls_ca)
    if items is None:
        told = Told(photos=tuple(images), title=title, attributes=pairs(attribute, "--attribute"))
        if server is not None:
            categorize_on(place, told, output, language=language, explaining=explaining, heatmap=heatmap)
        elif bundle is not None:
            keys, required = trust(trusted_key)
            categorizer = open_categorizer(bundle, trusted=keys, require_signature=required)
            _one(categorizer, told, output, language=language, explaining=explaining, heatmap=heatmap)
        return
    if out is None:
        context.fail("Missing option '--out'.")
    check_target(out)
    with answering_there(place) if bundle is None else _answering_here(bundle, trusted_key) as by:
        columns = choose_columns(
            items, title=title_column, usual_titles=by.title_columns, attributes=by.attributes
        )
        job = Job(items=items, columns=columns, images=folder or items.parent, out=out, by=by)
        faults = _table(job, output)
    if faults:
        raise typer.Exit(2)


def _refuse(context: typer.Context, options: Mapping[str, Any], where: str) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        context.fail(f"{given[0]} goes {where}.")


def _one(
    categorizer: Categorizer,
    told: Told,
    output: Output,
    *,
    language: str,
    explaining: bool,
    heatmap: Path | None,
) -> None:
    photos = tuple(prepare_file(one, categorizer.bundle.manifest.preprocess) for one in told.photos)
    asked = categorizer.ask(Item(photos=photos, title=told.title, attributes=told.attributes))
    predictions = categorizer.predict(asked.rows)
    answer = categorizer.categorize(asked, predictions)
    certificate = categorizer.reading.certificate
    name = partial(categorizer.taxonomy.name, language=language)
    value: dict[str, Any] = {
        "bundle": str(categorizer.bundle.path),
        "model": categorizer.choice.model_dump(),
        "signed_by": categorizer.bundle.signed_by,
        "certificate": certificate.line() if certificate else None,
        "images": [str(one) for one in told.photos],
        **as_json(answer, name),
    }
    parts = shown(answer, name)
    why = reasons(categorizer, asked, predictions, answer)
    if explaining:
        value["reasons"] = reasons_as_json(why)
        parts += shown_reasons(why)
    if heatmap is not None:
        write_bytes(heatmap, encode_png(_over_photos(asked, why)))
        value["heatmap"] = str(heatmap)
    output.result(value, *parts)


def _over_photos(asked: Asked, why: Reasons) -> Pixels:
    """The photos that were asked of, side by side under their evidence: uint8 RGB (H, photos * W, 3)."""
    if not why.evidence_hw:
        raise SettingsError("--heatmap: expected a photo that can be judged, found none")
    pictures = []
    for photo, evidence in zip(asked.item.photos, why.evidence_hw, strict=True):
        height, width = photo.image_hwc.shape[:2]
        pictures.append(overlay(photo, evidence, region=hottest_region(evidence, (width, height))))
    return np.ascontiguousarray(np.hstack(pictures))


@contextmanager
def _answering_here(bundle: Path, trusted_key: list[Path]) -> Iterator[Categorizes]:
    """A bundle's model for many products: a run on one thread for each core is the most that the cores give."""
    keys, required = trust(trusted_key)
    opened = open_bundle(bundle, trusted=keys, require_signature=required)
    yield Here(Categorizer(opened, choice=Choice(file=choose(opened).file, threads=1)))


def _table(job: Job, output: Output) -> int:
    """Run a job with a bar; how many rows have no answer."""
    started = time.perf_counter()
    first: int | None = None
    with bar() as progress:
        task = progress.add_task("categorising", total=None, note="")

        def advance(done: int, rows: int) -> None:
            nonlocal first
            first = done if first is None else first
            rate = (done - first) / max(time.perf_counter() - started, 1e-9)
            progress.update(task, completed=done, total=rows, note=f"{rate:.1f}/s")

        account = run(job, advance)
    took = time.perf_counter() - started
    answered = account.rows - account.found_done
    output.result(
        {
            "input": str(job.items),
            "out": str(job.out),
            "rows": account.rows,
            "found_done": account.found_done,
            "statuses": dict(sorted(account.statuses.items())),
            "columns": asdict(job.columns),
            "seconds": round(took, 3),
            "rows_per_s": round(answered / took, 2),
        },
        _counts(account),
        escape(f"{job.out}: {account.rows} rows, {answered / took:.1f} a second"),
    )
    return account.statuses[FAULT]


def _counts(account: Account) -> Table:
    table = Table("status", "rows")
    for status, count in account.statuses.most_common():
        table.add_row(status, str(count))
    return table
