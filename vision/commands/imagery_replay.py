"""`loupe imagery replay`: make a candidate again from its manifest."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from vision.commands.options import HubOption
from vision.commands.output import JsonFlag, Output, bar
from vision.imagery.create import generator_of
from vision.imagery.kept import read_kept
from vision.imagery.replay import Replayed, Verdict
from vision.imagery.replay import replay as make_again
from vision.imagery.scenes.scene import Step

_EXIT: Final = {Verdict.EXACT: 0, Verdict.WITHIN: 1, Verdict.NOT: 2}
_STYLE: Final = {Verdict.EXACT: "green", Verdict.WITHIN: "yellow", Verdict.NOT: "red"}


def replay(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="A candidate's .json, with photo, alpha and master beside it.", show_default=False
        ),
    ],
    models: Annotated[
        Path | None, typer.Option(help="The folder that models are in.", show_default=False)
    ] = None,
    allow_hub: HubOption = False,
    json: JsonFlag = False,
) -> None:
    """Make a candidate again and say how close it came: exact, within tolerance, or not reproducible and why.

    The exit code is 0 where it is exact, 1 where it is within tolerance (at most 2 levels, in fewer than one value of a thousand) and 2 where
    it is not reproducible.

    Example: `loupe imagery replay mug/candidate-1.json --json`
    """
    kept = read_kept(manifest)
    with bar() as progress:
        task = progress.add_task("making again", total=None, note="")

        def on_step(step: Step) -> None:
            progress.update(task, total=step.steps, completed=step.done)

        found = make_again(kept, partial(generator_of, models=models, allow_hub=allow_hub), on_step)
    Output(json).result(
        {"manifest": str(manifest), **asdict(found)},
        f"[{_STYLE[found.verdict]}]{found.verdict.value.replace('_', ' ')}[/{_STYLE[found.verdict]}]{_by(found)}",
        *(escape(reason) for reason in found.reasons),
        *(escape(f"differs, and made no difference: {one}") for one in found.differing if not found.reasons),
    )
    if _EXIT[found.verdict]:
        raise typer.Exit(_EXIT[found.verdict])


def _by(found: Replayed) -> str:
    if not found.max_delta or found.changed is None:
        return ""
    return f": at most {found.max_delta} levels, in {found.changed:.2e} of the values"
