"""`loupe imagery batch`: a table of orders placed at a server, followed until all have ended, and told row by row.

Every row has a request id of its own, made from its words and its pictures, wherever in the table it stands; of rows that are alike, each has
another one. Whoever runs the same table again, after a kill, or with rows added, moved or taken out, gets the same orders again and doubles none.
"""

import csv
import hashlib
import json as jsonlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.imagery_remote import HERE, ServerOption
from vision.commands.options import check_apart
from vision.commands.output import JsonFlag, Output, bar
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, open_client
from vision.errors import InputError, ManifestError
from vision.files import write_bytes
from vision.image import read_bytes
from vision.imagery.brief import STUDIO, Brief, read_brief

if TYPE_CHECKING:  # gRPC is part of an extra
    from vision.client import Client
    from vision.client.imagery_values import ImageJob

_NEEDED: Final = ("photo", "rules")
_SCENES: Final = ("scene", "style")  # one of them at least
_OTHERS: Final = ("name", "mask", "count", "seed", "side", "generator", "horizon", "light", "policy")
_LOOK_EVERY_S: Final = 1.0
_SHOWN: Final = 50


@dataclass(slots=True)
class Row:
    """A row of the table, and what became of it."""

    number: int
    cells: Mapping[str, str] = field(repr=False)
    name: str = ""
    job: str = ""
    repeated: bool = False
    state: str = "not placed"
    candidates: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    def told(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "cells"}


def batch(
    items: Annotated[
        Path,
        typer.Argument(
            help=f"A CSV with the columns {', '.join(_NEEDED)}, {' or '.join(_SCENES)}, and any of {', '.join(_OTHERS)}.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="What became of each row, JSON lines; written anew as it goes on. [ITEMS-orders.jsonl]",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="The folder that the table's paths are in. [the table's own]", show_default=False),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the orders until all have ended.")
    ] = True,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Order images for a table of products. Run again after a kill, it goes on and orders nothing twice.

    Several rule sets in a cell are separated by blanks. Exit 2 where a row could not be ordered, 1 where an order failed; the others are done.

    Example: `loupe imagery batch items.csv --token-file kim.token`
    """
    results = out or items.with_name(f"{items.stem}-orders.jsonl")
    check_apart(results, items)
    rows = list(_rows(items))
    folder = images or items.parent
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        try:
            _place_all(client, rows, folder)
            if wait:
                _follow_all(client, rows, results)
        finally:  # also where the server went away or somebody pressed Ctrl-C: what is known is written
            _write(results, rows)
    _tell(rows, results, Output(json))


def _rows(items: Path) -> Iterator[Row]:
    try:
        with items.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(items, reader.fieldnames or ())
            for number, cells in enumerate(reader, start=1):
                if None in cells or None in cells.values():
                    raise ManifestError(
                        f"{items}: row {number}: expected a cell for each column, found more or fewer"
                    )
                row = {name: value.strip() for name, value in cells.items()}
                yield Row(number=number, cells=row, name=row.get("name") or Path(row["photo"]).stem)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{items}: expected a CSV in UTF-8 that can be read: {error}") from error


def _check_header(items: Path, names: Any) -> None:
    missing = [name for name in _NEEDED if name not in names] or not set(_SCENES) & set(names)
    strange = [name for name in names if name not in {*_NEEDED, *_SCENES, *_OTHERS}]
    if missing or strange or len(set(names)) != len(names):
        raise ManifestError(
            f"{items}: expected the columns {', '.join(_NEEDED)}, {' or '.join(_SCENES)}, each once, and any of {', '.join(_OTHERS)}; "
            f"found {', '.join(names) or 'none'}"
        )


def _place_all(client: "Client", rows: list[Row], folder: Path) -> None:
    seen: Counter[str] = Counter()
    with bar() as progress:
        task = progress.add_task("ordering", total=len(rows), note="")
        for row in rows:
            try:
                job, row.repeated = _placed(client, row, folder, seen)
                row.job = job.id
                _note(row, job)
            except InputError as error:  # this row's; whatever else goes wrong would meet the others as well
                row.state, row.error = "refused", str(error)
            progress.update(task, advance=1, note=f"{sum(bool(one.error) for one in rows)} refused")


def _placed(client: "Client", row: Row, folder: Path, seen: Counter[str]) -> "tuple[ImageJob, bool]":
    from vision.client import ImageOrder  # noqa: PLC0415  (part of an extra, which is there: the client is open)

    photo = read_bytes(folder / row.cells["photo"])
    mask, style = (
        read_bytes(folder / row.cells[name]) if row.cells.get(name) else None for name in ("mask", "style")
    )
    order = ImageOrder(
        photo=photo,
        mask=mask,
        style=style,
        brief=_brief(row.cells, style),
        name=row.name,
        policy=row.cells.get("policy", ""),
        request_id=request_id(row.cells, (photo, mask, style), seen),
    )
    return client.imagery.create(order)


def _brief(cells: Mapping[str, str], style: bytes | None) -> Brief:
    values: dict[str, Any] = {
        "style": None if style is None else hashlib.sha256(style).hexdigest(),
        "scene": cells.get("scene", ""),
        "rules": cells["rules"].split(),
        "generator": cells.get("generator") or STUDIO,
        "layout": {name: cells.get(name) or None for name in ("horizon", "light")},
    }
    values |= {name: cells[name] for name in ("count", "seed") if cells.get(name)}
    if cells.get("side"):
        values["size_wh"] = (cells["side"], cells["side"])
    return read_brief(values)


def request_id(cells: Mapping[str, str], pictures: Sequence[bytes | None], seen: Counter[str]) -> str:
    """The id of a row's order, by what it asks for and not by where it stands.

    Args:
        cells: empty ones do not count, so that a column may be added.
        pictures: photo, mask and style picture; an absent last one does not count.
        seen: how many rows that are alike came before, by their digest; this one is added.
    """
    counted = pictures if pictures[-1] else pictures[:-1]
    digests = [hashlib.sha256(one or b"").hexdigest() for one in counted]
    asked = {name: cell for name, cell in cells.items() if cell}
    alike = hashlib.sha256(jsonlib.dumps([asked, digests], sort_keys=True).encode()).hexdigest()
    seen[alike] += 1
    return f"batch-{alike[:40]}-{seen[alike]}"


def _follow_all(client: "Client", rows: list[Row], out: Path) -> None:
    """Look after the orders that have not ended; what is known is in the results all the time."""
    placed = [row for row in rows if row.job]
    waiting = placed
    with bar() as progress:
        task = progress.add_task("making", total=len(placed), note="")
        while waiting:
            for row in waiting:
                _note(row, client.imagery.get(row.job))
            waiting = [row for row in waiting if row.state in {"queued", "running"}]
            failed = sum(row.state == "failed" for row in placed)
            progress.update(task, completed=len(placed) - len(waiting), note=f"{failed} failed")
            _write(out, rows)
            if waiting:
                time.sleep(_LOOK_EVERY_S)


def _note(row: Row, job: "ImageJob") -> None:
    row.state = job.state.value
    row.error = job.reason if job.state == "failed" else ""
    row.candidates = dict(Counter(one.state.value for one in job.candidates))


def _write(out: Path, rows: list[Row]) -> None:
    lines = (jsonlib.dumps(row.told(), ensure_ascii=False) for row in rows)
    write_bytes(out, "".join(f"{line}\n" for line in lines).encode(), sync=False)


def _tell(rows: list[Row], out: Path, output: Output) -> None:
    states = Counter(row.state for row in rows)
    wrong = Table("row", "name", "state", "why")
    for row in [row for row in rows if row.error][:_SHOWN]:
        wrong.add_row(str(row.number), escape(row.name), row.state, escape(row.error))
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    output.result(
        {
            "rows": len(rows),
            "states": dict(states),
            "repeated": sum(row.repeated for row in rows),
            "out": str(out),
        },
        *([wrong] if any(row.error for row in rows) else []),
        escape(f"{len(rows)} rows: {told or 'none'}; {out}"),
    )
    if states["refused"]:
        raise typer.Exit(2)
    if states["failed"]:
        raise typer.Exit(1)
