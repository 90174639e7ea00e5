"""How well and how fast it learns.

    python benchmarks/training.py                                   # speed alone, on made-up pictures: minutes
    python benchmarks/training.py --data MANIFEST --images DIR --work DIR    # and the solar-cell figures: hours, resumable

The second form trains what `benchmarks/elpv_runs.py` lists (a finished run is kept) and judges each run on what it has not seen.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import tempfile
import time

import lightning_fabric as lf
import numpy as np

from benchmarks import plain, solar_cells
from benchmarks.common import Figure, emit, parser
from benchmarks.elpv_runs import PARTS, add_options
from benchmarks.untrained import at_one_size, untrained_run
from training.fit import Fitting
from training.processor import precision_here
from training.recipe import read_recipe
from training.run import Run
from vision.commands.output import bar
from vision.errors import SettingsError

SPEED_PX = 160


def main() -> None:
    options = parser(__doc__ or "")
    add_options(options, required=False)
    given = options.parse_args()
    figures = [] if given.part else [throughput()]
    if given.data is not None:
        if given.images is None:
            raise SettingsError("--images: expected the folder of the pictures beside --data, found none")
        figures += solar_cells.figures(
            given.data, given.images, given.work, given.part or PARTS, recipe=given.recipe
        )
    emit(figures)


def throughput(rounds: int = 3, steps: int = 4) -> Figure:
    """Our training step over the plain one's, in turns, same pictures, same size."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = at_one_size(read_recipe("resnet50"), SPEED_PX)
        run = untrained_run(Path(folder) / "run", pictures=64, recipe=recipe).model_copy(
            update={"result": None}
        )
        ratios = []
        for turn in range(rounds):
            ours = our_rate(run, Path(folder) / f"ours-{turn}", steps)
            theirs = plain.train(run, Path(folder) / "cache", epochs=steps + 1, steps=steps).images_per_s
            ratios.append(ours / theirs)
    return Figure(
        name="training_throughput_vs_plain",
        value=round(float(np.median(ratios)), 3),
        unit="ratio",
        target=">= 1.5",
        runs=rounds,
        spread=(round(min(ratios), 3), round(max(ratios), 3)),
        note=f"ResNet-50, batch {run.recipe.batch_size}, {SPEED_PX} px, with augmentation, clipping and averaging on our side",
    )


def our_rate(run: Run, out: Path, steps: int) -> float:
    """Images a second of our loop itself, drawing and augmenting included, after one step to warm up."""
    fabric = lf.Fabric(accelerator="auto", devices=1, precision=precision_here())
    fitting = Fitting(fabric, run, out)
    seen, started = 0, 0.0
    with bar() as progress_bar:
        for turn, (_, batch, labels) in enumerate(fitting.draws(progress_bar)):
            fitting.step(batch, labels)
            if turn == 0:
                started = time.monotonic()
            else:
                seen += len(batch)
            if turn == steps:
                break
            fitting.count(0.0, len(batch))
            if fitting.counters.batch == fitting.steps_an_epoch:
                fitting.counters.epoch, fitting.counters.batch = fitting.counters.epoch + 1, 0
    return seen / (time.monotonic() - started)


if __name__ == "__main__":
    main()
