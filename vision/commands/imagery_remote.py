"""Orders of images at a server, from the command line: what commands share, placing one, and watching it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from vision.commands.output import Output, bar
from vision.commands.remote import Server, open_client
from vision.errors import StateError
from vision.files import write_bytes
from vision.image import read_bytes
from vision.imagery.brief import Brief
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.folder import write_inputs

if TYPE_CHECKING:  # gRPC is part of an extra, and only needed where a server is named
    from vision.client import Client
    from vision.client.imagery_values import ImageCandidate, ImageJob

HERE: Final = "127.0.0.1:50051"
ServerOption = Annotated[str, typer.Option(help="The server's address: host:port or unix:PATH.")]
JobArgument = Annotated[str, typer.Argument(help="The order's id.", show_default=False)]
NumberArgument = Annotated[
    int, typer.Argument(help="The candidate's number.", min=1, max=16, show_default=False)
]


def submit(
    server: Server,
    brief: Brief,
    output: Output,
    *,
    photo: Path,
    mask: Path | None = None,
    style: bytes | None = None,
    name: str = "",
    policy: str = "",
    waiver: str = "",
    request_id: str | None = None,
    out: Path | None = None,
    wait: bool = True,
) -> None:
    """Order images at a server, wait until they are made, and say what came of it.

    Args:
        style: the picture that the brief names, where it names one.
        request_id: a repeated one of the same user is the same order.
        out: a folder for previews, reduced difference maps and manifests, with photo and cut-out, so that `replay` makes the masters again. Masters
            are looked at on the server's page, which hands them to designers and reviewers; files for marketplaces come by `loupe imagery export` alone.
        wait: else it returns once the order is placed.

    Raises:
        ImageryError: the folder holds such files already; nothing was ordered.
        LoupeError: as `vision.client.Client`.
        StateError: the order failed or was cancelled.
    """
    if out is not None:
        from vision.imagery.folder import check_free  # noqa: PLC0415  (it brings what makes images, for an order with a folder alone)

        check_free(out, brief.count)
    with open_client(server) as client:
        from vision.client import ImageOrder  # noqa: PLC0415  (part of an extra, which is there: the client is open)

        order = ImageOrder(
            photo=photo, mask=mask, style=style, brief=brief, name=name or photo.stem, policy=policy, waiver=waiver, request_id=request_id
        )  # fmt: skip
        job, repeated = client.imagery.create(order)
        if repeated:
            output.warn(f"job {job.id} had been ordered before under this request id")
        if wait:
            job = follow(client, job.id)
        if out is not None:
            job = _written(client, job.id, photo, style, out)
    output.result({**as_json(job), "repeated": repeated, "out": str(out) if out else None}, *shown(job))
    if wait and job.state != "done":
        raise StateError(
            f"job {job.id}: expected it done, found it {job.state}: {job.reason or 'no reason given'}"
        )


def follow(client: "Client", job_id: str) -> "ImageJob":
    """Watch a job with a progress bar until it has ended."""
    with bar(counted=False) as progress:
        task = progress.add_task("making", total=None, note="")
        for change in client.imagery.watch(job_id):
            job = change.job
            finished = sum(one.state not in {"draft", "generated"} for one in job.candidates)
            part = job.step / job.steps if job.steps and job.making else 0.0
            progress.update(
                task,
                total=job.count,
                completed=finished + part,
                note=f"{job.state}, {finished} of {job.count}",
            )
    return client.imagery.get(job_id)


def as_json(job: "ImageJob") -> dict[str, Any]:
    """Without pictures."""
    value = {name: one for name, one in asdict(job).items() if name not in {"candidates", "alpha"}}
    return {**value, "candidates": [candidate_as_json(one) for one in job.candidates]}


def candidate_as_json(candidate: "ImageCandidate") -> dict[str, Any]:
    value = asdict(candidate)
    return {name: one for name, one in value.items() if name not in {"preview", "difference"}}


def shown(job: "ImageJob") -> Sequence[RenderableType]:
    """An order for people."""
    told = f"{job.id} {job.state}: {job.name}, by {job.requester or 'nobody in particular'}, for {', '.join(job.rules)}"
    table = Table("candidate", "state", "rules", "approved by", "device-seconds")
    for one in job.candidates:
        rules = ", ".join(f"{report.rule_set} {report.status}" for report in one.reports)
        table.add_row(
            str(one.number), one.state.value, escape(rules), escape(one.approved_by), f"{one.device_s:.1f}"
        )
    return [escape(told), *([escape(job.reason)] if job.reason else []), table]


def _written(client: "Client", job_id: str, photo: Path, style: bytes | None, out: Path) -> "ImageJob":
    job = client.imagery.get(job_id, pictures=True)
    if job.alpha:
        write_inputs(out, read_bytes(photo, limits=PHOTO_LIMITS), job.alpha, style)
    for one in job.candidates:
        if one.preview:
            write_bytes(out / f"candidate-{one.number}-preview.jpg", one.preview)
            write_bytes(out / f"candidate-{one.number}-difference.png", one.difference)
            write_bytes(out / f"candidate-{one.number}.json", one.manifest.encode())
    return job
