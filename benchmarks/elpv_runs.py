"""The training runs behind the solar-cell figures: one a seed of the random split, one a grouped fold.

Resumable: a finished run is kept, an interrupted one goes on. `benchmarks/training.py` reads what lies here.

    python benchmarks/elpv_runs.py --data MANIFEST --images DIR --work DIR [--part random]
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import argparse
from collections.abc import Iterator, Sequence

from benchmarks.runs import ensure
from training.manifest import Item, read_manifest
from training.recipe import read_recipe
from training.run import Run, plan_run

# On modules like those seen, learning goes on for longer; on unseen ones the first epochs bring what there is to bring.
EPOCHS = {"resnet50": (8, 4), "resnet50-fine": (16, 6)}  # by recipe: on the random split, and on groups
RECIPE = "resnet50"
SEEDS = (0, 1, 2)
FOLDS = tuple(str(fold) for fold in range(8))
PARTS = ("random", "folds", "split")
GOOD = "functional"


def planned(
    data: Path, images: Path, parts: Sequence[str] = PARTS, *, recipe: str = RECIPE
) -> Iterator[tuple[str, Run, tuple[Item, ...]]]:
    """Every run of the parts with its name and the items that it has not seen and is judged on."""
    long, short = (read_recipe(recipe).model_copy(update={"epochs": epochs}) for epochs in EPOCHS[recipe])
    if "random" in parts:
        column = "split_random_75_25"
        random = read_manifest(data, images=images, split_column=column, group_column="none")
        for seed in SEEDS:
            run = plan_run(random, random.split("train"), long, good=GOOD, seed=seed, split_column=column)
            yield f"random-{seed}", run, random.split("test")
    if "folds" in parts:
        folds = read_manifest(data, images=images, split_column="fold")
        for fold in FOLDS:
            others = tuple(item for item in folds.items if item.split != fold)
            run = plan_run(folds, others, short, good=GOOD, seed=0, split_column="fold")
            yield f"fold-{fold}", run, folds.split(fold)
    if "split" in parts:
        split = read_manifest(data, images=images)
        run = plan_run(split, split.split("train"), short, good=GOOD, seed=0, split_column="split")
        yield "split", run, split.split("test")


def add_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Where the solar cells and their runs are."""
    parser.add_argument(
        "--data", type=Path, required=required, help="ELPV manifest CSV with fold and split columns"
    )
    parser.add_argument(
        "--images", type=Path, required=required, help="what the manifest's paths are relative to"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/elpv"), help="where the runs are kept")
    parser.add_argument(
        "--recipe", choices=EPOCHS, default=RECIPE, help="each recipe's runs need a --work of their own"
    )
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="these runs alone; may be given again (default: all)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, required=True)
    options = parser.parse_args()
    for name, run, _ in planned(options.data, options.images, options.part or PARTS, recipe=options.recipe):
        finished = ensure(run, options.work / name)
        print(name, finished.result.model_dump_json() if finished.result else "", flush=True)


if __name__ == "__main__":
    main()
