"""The training runs behind the solar-cell figures: one a seed of the random split, one a grouped fold.

Resumable: a finished run is kept, an interrupted one goes on. `benchmarks/training.py` reads what lies here.

    python benchmarks/elpv_runs.py --data MANIFEST --images DIR --work DIR
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import argparse
from collections.abc import Iterator

from training.fit import fit
from training.manifest import Item, Manifest, carve, read_manifest
from training.recipe import read_recipe
from training.run import Picture, Run, read_run

# On modules like those seen, learning goes on for longer; on unseen ones the first epochs bring what there is to bring.
EPOCHS_RANDOM, EPOCHS_GROUPED = 8, 4
SEEDS = (0, 1, 2)
FOLDS = tuple(str(fold) for fold in range(8))


def prepare_run(
    manifest: Manifest, items: tuple[Item, ...], *, seed: int, split: str, epochs: int = EPOCHS_GROUPED
) -> Run:
    """A run of the built-in ResNet-50 recipe from the warm start, its tune part carved out of `items`."""
    recipe = read_recipe("resnet50")
    kept, tune = carve(items, recipe.tune_fraction, seed=seed)
    pictures = [Picture.of(item, "train") for item in kept] + [Picture.of(item, "tune") for item in tune]
    return Run(
        recipe=recipe.model_copy(update={"epochs": epochs}),
        weights="warmstart",
        seed=seed,
        minutes=None,
        labels=manifest.labels,
        good="functional",
        data_digest=manifest.digest(),
        split_column=split,
        pictures=tuple(pictures),
    )


def planned(data: Path, images: Path) -> Iterator[tuple[str, Run, tuple[Item, ...]]]:
    """Every run with its name and the items that it has not seen and is judged on."""
    folds = read_manifest(data, images=images, split_column="fold")
    random = read_manifest(data, images=images, split_column="split_random_75_25", group_column="none")
    for seed in SEEDS:
        run = prepare_run(
            random, random.split("train"), seed=seed, split="split_random_75_25", epochs=EPOCHS_RANDOM
        )
        yield f"random-{seed}", run, random.split("test")
    for fold in FOLDS:
        others = tuple(item for item in folds.items if item.split != fold)
        yield f"fold-{fold}", prepare_run(folds, others, seed=0, split="fold"), folds.split(fold)
    split = read_manifest(data, images=images)
    yield "split", prepare_run(split, split.split("train"), seed=0, split="split"), split.split("test")


def ensure(run: Run, out: Path) -> Run:
    """Train unless `out` holds this very run, finished."""
    if (out / "run.json").exists():
        found = read_run(out)
        if not found.same_as(run):
            raise SystemExit(f"{out}: holds another run; give a fresh --work")
        if found.result is not None:
            return found
    out.mkdir(parents=True, exist_ok=True)
    run.write(out)
    return fit(run, out)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="ELPV manifest CSV with fold and split columns"
    )
    parser.add_argument(
        "--images", type=Path, required=True, help="what the manifest's paths are relative to"
    )
    parser.add_argument("--work", type=Path, required=True, help="where the runs are kept")
    return parser


def main() -> None:
    options = arguments().parse_args()
    for name, run, _ in planned(options.data, options.images):
        finished = ensure(run, options.work / name)
        print(name, finished.result.model_dump_json() if finished.result else "", flush=True)


if __name__ == "__main__":
    main()
