"""`loupe imagery review` and `export`: what people decide about images, and the files that follow from it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.imagery_remote import (
    HERE,
    JobArgument,
    NumberArgument,
    ServerOption,
    as_json,
    candidate_as_json,
)
from vision.commands.output import JsonFlag, Output
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, open_client
from vision.errors import StorageError
from vision.files import write_bytes
from vision.imagery.review import State

if TYPE_CHECKING:  # gRPC is part of an extra
    from vision.client.imagery_calls import Action

ReasonOption = Annotated[str, typer.Option(help="Why; kept with the decision.", show_default=False)]
_SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}


def list_reviews(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many orders.")] = 50,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """List the orders with an image that waits for a reviewer.

    Example: `loupe imagery review list --token-file ada.token`
    """
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        found = client.imagery.jobs(holding=State.IN_REVIEW, limit=limit)
    table = Table("order", "name", "by", "candidates in review")
    for one in found:
        waiting = (str(each.number) for each in one.candidates if each.state is State.IN_REVIEW)
        table.add_row(one.id, escape(one.name), escape(one.requester), ", ".join(waiting))
    Output(json).result({"jobs": [as_json(one) for one in found]}, table)


def propose(
    job: JobArgument,
    number: NumberArgument,
    reason: ReasonOption = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Put a candidate before the reviewers. Needs a user's token with the role design.

    Example: `loupe imagery review propose 4f0c… 2 --token-file kim.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    _decide(place, job, number, "propose", reason, Output(json))


def approve(
    job: JobArgument,
    number: NumberArgument,
    reason: ReasonOption = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Approve a candidate, exactly as it is. Needs the token of another user than ordered it, with the role review.

    Example: `loupe imagery review approve 4f0c… 2 --token-file ada.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    _decide(place, job, number, "approve", reason, Output(json))


def reject(
    job: JobArgument,
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.", show_default=False)],
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Reject a candidate for good; an approval that was not used yet is taken back by it as well.

    Example: `loupe imagery review reject 4f0c… 2 --reason "the handle is cut" --token-file ada.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    _decide(place, job, number, "reject", reason, Output(json))


def export(
    job: JobArgument,
    number: NumberArgument,
    out: Annotated[
        Path,
        typer.Option(
            help="The file to write, or a folder for it. Nothing is written over.", show_default=False
        ),
    ],
    rules: Annotated[
        str,
        typer.Option(
            help="For which of the order's rule sets; needed where it has several.", show_default=False
        ),
    ] = "",
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Export an approved image: labelled, checked as encoded, signed. Refused unless it is exactly what was approved.

    Example: `loupe imagery export 4f0c… 2 --out mug.jpg --token-file kim.token`
    """
    place = Server(address=server, token_file=token_file, tls_ca=tls_ca)
    with open_client(place) as client:
        sent = client.imagery.export(job, number, rules)
    suffix = _SUFFIXES.get(sent.format, ".img")
    target = out / f"{job[:8]}-{number}-{sent.report.rule_set}{suffix}" if out.is_dir() else out
    if target.exists():
        raise StorageError(f"{target}: exists already and is not overwritten")
    write_bytes(target, sent.data)
    value = {name: one for name, one in asdict(sent).items() if name != "data"}
    Output(json).result(
        {"file": str(target), "bytes": len(sent.data), **value},
        escape(
            f"{target}: {sent.format} for {sent.report.rule_set} ({sent.report.status}), approved by {sent.approved_by}, sha256 {sent.sha256}"
        ),
    )


def _decide(place: Server, job: str, number: int, action: "Action", reason: str, output: Output) -> None:
    with open_client(place) as client:
        reviewed = client.imagery.review(job, number, action, reason=reason)
    candidate = reviewed.candidate
    output.result(
        {
            "job": job,
            "candidate": candidate_as_json(candidate),
            "events": [asdict(one) for one in reviewed.events],
        },
        escape(f"{job}, candidate {number}: {candidate.state.value.replace('_', ' ')}"),
    )
