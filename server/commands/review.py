"""`loupe review`: look at what waits for a person, say what parts really were, and take it away to train on."""

import csv
import io
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from server.storage.blobs import place
from vision.client import Client, Tls
from vision.client.values import Disposition, EscapeRate, PendingReview
from vision.commands.output import JsonFlag, Output
from vision.commands.remote import TlsCaOption, TokenFileOption, token_of
from vision.files import write_bytes

ServerOption = Annotated[str, typer.Option(help="The server's address: host:port or unix:PATH.")]
ModelOption = Annotated[str, typer.Option(help="Of this model alone.", show_default=False)]
_HERE = "127.0.0.1:50051"


def list_reviews(
    server: ServerOption = _HERE,
    model: ModelOption = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """List judged parts that wait for a person: reviews first, then the random sample of accepted parts.

    Example: `loupe review list --token-file kim.token`
    """
    with _client(server, token_file, tls_ca) as client:
        waiting = client.reviews(model=model, limit=limit)
    table = Table("result", "part", "model", "verdict", "reason", "p(defect)", "judged", "why here")
    for one in waiting:
        table.add_row(*map(escape, _row(one)))
    output = Output(json)
    output.result({"reviews": [_review_json(one) for one in waiting]}, table)


def resolve(
    result: Annotated[
        str, typer.Argument(help="The result's id, as `loupe review list` shows it.", show_default=False)
    ],
    label: Annotated[
        str, typer.Argument(help="What the part really is: one of the model's labels.", show_default=False)
    ],
    note: Annotated[str, typer.Option(help="What else is to be remembered.")] = "",
    server: ServerOption = _HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Say what a part really was; it is recorded under the name that the token belongs to.

    Example: `loupe review resolve 0f3c… functional --note "scratch is on the lens" --token-file kim.token`
    """
    with _client(server, token_file, tls_ca) as client:
        by = client.submit_disposition(result, label, note=note)
    Output(json).result({"result": result, "label": label, "by": by}, escape(f"{result}: {label}, says {by}"))


def export(
    out: Annotated[Path, typer.Option(help="The training manifest to write, a CSV.", show_default=False)],
    server: ServerOption = _HERE,
    model: ModelOption = "",
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Write what people found as a training manifest, and say what the audit shows of the escape rate.

    Paths are those of the server's picture folder: train with `--images` naming it. Parts whose picture is not kept are left out.

    Example: `loupe review export --out found.csv --token-file kim.token`
    """
    with _client(server, token_file, tls_ca) as client:
        found = client.dispositions(model=model)
    kept = [row for row in found.rows if row.image_sha256]
    write_bytes(out, _manifest(kept).encode())
    rate = found.escape_rate
    Output(json).result(
        {
            "manifest": str(out),
            "rows": len(kept),
            "without_picture": len(found.rows) - len(kept),
            "escape_rate": _rate_json(rate),
        },
        escape(f"{out}: {len(kept)} parts, {len(found.rows) - len(kept)} left out without a picture"),
        escape(_rate_line(rate)),
    )


def _client(server: str, token_file: Path | None, tls_ca: Path | None) -> Client:
    tls = Tls(ca=tls_ca) if tls_ca else None
    return Client(server, token=token_of(token_file, os.environ), tls=tls)


def _row(one: PendingReview) -> tuple[str, ...]:
    verdict = one.verdict
    probability = "-" if verdict.probability is None else f"{verdict.probability:.3f}"
    why = "audit of accepted parts" if one.audit else verdict.detail
    return (
        one.result_id, one.part, one.model.name, verdict.decision.value, verdict.reason.value, probability,
        f"{one.judged_at:%Y-%m-%d %H:%M}", why,
    )  # fmt: skip


def _review_json(one: PendingReview) -> dict[str, Any]:
    return {
        "result": one.result_id,
        "part": one.part,
        "model": one.model.name,
        "version": one.model.version,
        "decision": one.verdict.decision.value,
        "reason": one.verdict.reason.value,
        "detail": one.verdict.detail,
        "probability": one.verdict.probability,
        "judged_at": one.judged_at.isoformat(),
        "audit": one.audit,
        "image_sha256": one.image_sha256,
    }


def _manifest(rows: list[Disposition]) -> str:
    """Path, label and group of each part, and where its label comes from; the group is the part, so that its pictures stay together."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "label", "split", "group", "decision", "audit", "by", "found_at"])
    for row in rows:
        table.writerow(
            [
                place(row.image_sha256 or ""), row.label, "", row.part or row.image_sha256, row.decision.value,
                int(row.audit), row.by, row.found_at.isoformat(),
            ]
        )  # fmt: skip
    return text.getvalue()


def _rate_json(rate: EscapeRate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {name: getattr(rate, name) for name in type(rate).__slots__}


def _rate_line(rate: EscapeRate | None) -> str:
    if rate is None:
        return "escape rate: of which model? name one that is served"
    if rate.audited == 0:
        return "escape rate: no part of the audit sample has been looked at yet"
    certified = "nothing certified" if rate.certified is None else f"certified {rate.certified:.1%}"
    measured = "" if rate.escape_upper is None else f", of defective parts at most {rate.escape_upper:.1%}"
    return (
        f"audit: {rate.escapes} of {rate.audited} accepted parts were defective ({rate.share:.2%}, at most {rate.upper:.2%} with 95 % "
        f"confidence){measured}; {certified}"
    )
