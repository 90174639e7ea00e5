"""`loupe imagery train-scenes`: learn to paint studios."""

from pathlib import Path
from typing import Annotated, Final

import typer

from training.scenes.run import SceneRun
from vision.commands.output import JsonFlag, Output
from vision.errors import LoupeError, MissingExtraError

_LAYOUT: Final = 0.15  # of a run: the second part, which learns to keep to a layout


def train_scenes(
    out: Annotated[Path, typer.Option(help="The run's folder. An interrupted run there goes on.")] = Path(
        "scenes-run"
    ),
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Fit the schedule into this time; 80 by default.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="End the first part after this many steps instead.")
    ] = None,
    scenes: Annotated[int, typer.Option(min=64, help="How many are drawn to learn from.")] = 20_000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json: JsonFlag = False,
) -> None:
    """Train a small diffusion model on drawn studio scenes and their captions; OUT/model is then a diffusers pipeline's folder.

    Progress goes to OUT/metrics.jsonl. After Ctrl-C, a kill or a power cut the same command goes on from the last checkpoint.

    Example: `loupe imagery train-scenes --minutes 80`
    """
    output = Output(json)
    try:
        from training.scenes.fit import fit  # noqa: PLC0415  (parts of an extra that other training does without)
        from training.scenes.pack import code_digest  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("training,diffusion", error.name or "diffusers") from error
    whole = 80.0 if minutes is None and steps is None else minutes
    run = SceneRun(
        code=code_digest(),
        seed=seed,
        minutes=None if whole is None else whole * (1 - _LAYOUT),
        steps=steps,
        layout_minutes=None if whole is None else whole * _LAYOUT,
        layout_steps=None if steps is None else max(round(steps * _LAYOUT), 1),
        scenes=scenes,
        batch_size=batch_size,
        threads=threads,
    )
    run.begin(out)
    try:
        finished = fit(run, out)
    except KeyboardInterrupt:
        raise LoupeError(f"{out}: interrupted; the same command goes on from the last checkpoint") from None
    result = finished.result.model_dump() if finished.result else {}
    output.result(
        {"run": str(out), "model": str(out / "model"), **result},
        f"trained {out / 'model'}: loss {result['loss']:.4f} after {result['steps']} steps "
        f"({result['images_per_s']} scenes/s, {result['seconds']:.0f} s)",
    )
