"""A second set of real photographs, so that nothing is tuned to solar cells: a line that fills juice, and cartons of anything else.

Takes a manifest of grocery photographs (columns `path`, `department`, `coarse_label`, `split_dev`; Klasson et al. 2019, arXiv:1901.00711).
Juice is good, every other carton is the wrong product. The pictures are JPEGs of 256 pixels and the model looks at 128, so that reduced
decoding halves them: what it costs in accuracy is measured on the test part, whose pictures are judged both ways.

    python benchmarks/cartons.py --data MANIFEST --images DIR --work DIR
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import csv
from collections.abc import Sequence

import numpy as np

from benchmarks.common import Figure, emit, parser
from benchmarks.runs import auroc_with_interval, calibrated, ensure, truth
from training.manifest import Item, Manifest, read_manifest
from training.recipe import Recipe, Stage, read_recipe
from training.run import Run, plan_run

GOOD, SIZE_PX, EPOCHS = "juice", 128, 8


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--data", type=Path, required=True, help="manifest CSV of grocery photographs")
    options.add_argument("--images", type=Path, required=True, help="what its paths are relative to")
    options.add_argument("--work", type=Path, default=Path("runs/cartons"), help="where the run is kept")
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    manifest = cartons(given.data, given.images, given.work / "manifest.csv")
    folder = given.work / "run"
    run = plan_run(manifest, manifest.split("train"), recipe(), good=GOOD, seed=0, split_column="split")
    emit(figures(ensure(run, folder), folder, manifest.split("test")))


def cartons(data: Path, images: Path, out: Path) -> Manifest:
    """The cartons among the groceries as an inspection manifest."""
    with data.open(newline="") as source, out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split", "kind"])
        for row in csv.DictReader(source):
            if row["department"] == "Packages":
                label = GOOD if row["coarse_label"] == "Juice" else "wrong_product"
                rows.writerow([row["path"], label, row["split_dev"], row["coarse_label"]])
    return read_manifest(out, images=images, group_column="none")


def recipe() -> Recipe:
    """The built-in one at `SIZE_PX`."""
    made = read_recipe("resnet50")
    changes = {
        "epochs": EPOCHS,
        "stages": (Stage(until=1.0, size_px=SIZE_PX),),
        "preprocess": made.preprocess.resized((SIZE_PX, SIZE_PX)),
    }
    return made.model_copy(update=changes)


def figures(run: Run, folder: Path, items: Sequence[Item]) -> list[Figure]:
    """Accuracy and AUROC, and how many more the model gets right from pictures decoded in full."""
    bad = truth(items, GOOD)
    spec = run.recipe.preprocess
    reduced, in_full = calibrated(folder, items, spec, spec.model_copy(update={"reduced_decoding": False}))
    right, right_in_full = ((one > 0.5) == bad for one in (reduced, in_full))
    value, spread = auroc_with_interval(items, GOOD, reduced)
    note = f"{len(items)} photographs of the test part, {int(bad.sum())} of wrong products; warm start"
    gained, lost = int((right & ~right_in_full).sum()), int((~right & right_in_full).sum())
    return [
        Figure(name="cartons_auroc", value=value, unit="AUROC", spread=spread, note=note),
        Figure(name="cartons_accuracy", value=round(float(np.mean(right)), 4), unit="accuracy", note=note),
        Figure(
            name="reduced_decoding_accuracy_cost",
            value=round(100 * (lost - gained) / len(items), 3),
            unit="points",
            target="<= 0.2",
            note=f"of {len(items)} photographs {lost} are judged right only in full, {gained} only reduced",
        ),
    ]


if __name__ == "__main__":
    main()
