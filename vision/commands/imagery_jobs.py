"""`loupe imagery submit` and `jobs`: images ordered at a server, looked at, watched and stopped."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.imagery_remote import HERE, JobArgument, ServerOption, as_json, follow, shown
from vision.commands.imagery_remote import submit as submit_order
from vision.commands.options import StyleOption
from vision.commands.output import JsonFlag, Output
from vision.commands.remote import Server, TlsCaOption, TokenFileOption, needing_grpc, open_client
from vision.errors import SettingsError
from vision.image import read_bytes
from vision.imagery.brief import STUDIO, Light, read_brief
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.kept import sha256
from vision.imagery.review import State


def submit(
    product: Annotated[Path, typer.Option(help="The product's photo.", show_default=False)],
    rules: Annotated[
        list[str],
        typer.Option(
            help="Rule sets, separated by commas; the product is placed by the first.", show_default=False
        ),
    ],
    scene: Annotated[
        str,
        typer.Option(
            help="The scene in words, English or Chinese. Needed without --style.", show_default=False
        ),
    ] = "",
    style: StyleOption = None,
    mask: Annotated[
        Path | None, typer.Option(help="White where the product is; found where absent.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option(help="How many candidates.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the first candidate.")] = 0,
    side: Annotated[int, typer.Option(help="Of the square masters, in pixels.")] = 1600,
    generator: Annotated[str, typer.Option(help="What makes the scenes, as workers know it.")] = STUDIO,
    horizon: Annotated[
        float | None, typer.Option(help="Where the table ends, as a share of the height.", show_default=False)
    ] = None,
    light: Annotated[
        Light | None, typer.Option(help="Where the light comes from.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="What people call it. [the photo's name]")] = "",
    policy: Annotated[str, typer.Option(help="How exports are labelled. [as the server is set]")] = "",
    waiver: Annotated[
        str,
        typer.Option(
            help="Why the images go out without their visible label; says that you agree to label them."
        ),
    ] = "",
    request_id: Annotated[
        str, typer.Option(help="A repeated one is the same order.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="A folder for previews and manifests, which `replay` makes again. Nothing there is written over.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the images are made.")] = True,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Order images at a server; its workers make them.

    Example: `loupe imagery submit --product mug.jpg --scene "white marble table" --rules google.merchant --token-file kim.token`
    """
    look = None if style is None else read_bytes(style, limits=PHOTO_LIMITS)
    brief = read_brief(
        {
            "style": None if look is None else sha256(look),
            "scene": scene,
            "rules": [one.strip() for given in rules for one in given.split(",")],
            "generator": generator,
            "layout": {"horizon": horizon, "light": light},
            "size_wh": (side, side),
            "count": count,
            "seed": seed,
        }
    )
    submit_order(
        Server(address=server, token_file=token_file, tls_ca=tls_ca),
        brief,
        Output(json),
        photo=product,
        mask=mask,
        style=look,
        name=name,
        policy=policy,
        waiver=waiver,
        request_id=request_id or None,
        out=out,
        wait=wait,
    )


def list_jobs(
    state: Annotated[
        str, typer.Option(help="queued, running, done, failed or cancelled.", show_default=False)
    ] = "",
    requester: Annotated[str, typer.Option(help="Of this user alone.", show_default=False)] = "",
    holding: Annotated[
        State | None, typer.Option(help="With a candidate in this state.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """List the orders of images at a server, the newest first.

    Example: `loupe imagery jobs list --state running`
    """
    with needing_grpc():
        from vision.client.imagery_values import JobState  # noqa: PLC0415  (part of an extra)

    wanted: dict[str, Any] = {"requester": requester, "holding": holding, "limit": limit}
    if state:
        if state not in set(JobState):
            raise SettingsError(f"--state: expected one of {', '.join(JobState)}, found '{state}'")
        wanted["state"] = JobState(state)
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        found = client.imagery.jobs(**wanted)
    table = Table("order", "name", "by", "placed", "state", "candidates")
    for one in found:
        states = ", ".join(candidate.state.value for candidate in one.candidates)
        table.add_row(
            one.id,
            escape(one.name),
            escape(one.requester),
            f"{one.created_at:%Y-%m-%d %H:%M}",
            one.state.value,
            states,
        )
    Output(json).result({"jobs": [as_json(one) for one in found]}, table)


def show(
    job: JobArgument,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Show an order of images: its state, its candidates, what the rules say of them.

    Example: `loupe imagery jobs show 4f0c… --json`
    """
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        found = client.imagery.get(job)
    Output(json).result(as_json(found), *shown(found))


def watch(
    job: JobArgument,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Watch an order of images until it has ended.

    Example: `loupe imagery jobs watch 4f0c…`
    """
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        found = follow(client, job)
    Output(json).result(as_json(found), *shown(found))


def cancel(
    job: JobArgument,
    server: ServerOption = HERE,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Stop an order of images: at once where it waits, else at its worker's next step. What was finished is kept.

    Example: `loupe imagery jobs cancel 4f0c…`
    """
    with open_client(Server(address=server, token_file=token_file, tls_ca=tls_ca)) as client:
        found = client.imagery.cancel(job)
    Output(json).result(as_json(found), *shown(found))
