"""How well and how fast it learns.

    python benchmarks/training.py                                   # speed alone, on made-up pictures: minutes
    python benchmarks/training.py --data MANIFEST --images DIR --work DIR    # and the solar-cell figures: hours, resumable

The second form trains what `benchmarks/elpv_runs.py` lists (a finished run is kept) and judges each run on what it has not seen.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import lightning_fabric as lf
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from benchmarks import plain
from benchmarks.common import Figure, emit, parser
from benchmarks.elpv_runs import ensure, planned
from benchmarks.untrained import untrained_run
from training.certify import Calibration, certify, fit_temperature
from training.export import load_network
from training.fit import Fitting, precision_here
from training.manifest import Item, read_manifest
from training.recipe import Stage
from training.run import Run, read_run
from training.score import score, torch_scorer
from training.statistics import group_bootstrap
from vision.commands.output import bar
from vision.errors import SettingsError
from vision.files import write_json
from vision.inspection.policy import Costs
from vision.inspection.prediction import defect_probability

SPEED_PX = 160
SCORES = "out-of-fold.csv"


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--data", type=Path, help="ELPV manifest CSV with fold and split columns")
    options.add_argument("--images", type=Path, help="what the manifest's paths are relative to")
    options.add_argument("--work", type=Path, default=Path("runs/elpv"), help="where the runs are kept")
    given = options.parse_args()
    figures = [throughput()]
    if given.data is not None:
        if given.images is None:
            raise SettingsError("--images: expected the folder of the pictures beside --data, found none")
        figures += solar_cells(given)
    emit(figures)


def throughput(rounds: int = 3, steps: int = 4) -> Figure:
    """Our training step over the plain one's, in turns, same pictures, same size."""
    with tempfile.TemporaryDirectory() as folder:
        run = at_one_size(untrained_run(Path(folder) / "run", pictures=64))
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


def at_one_size(run: Run) -> Run:
    """The run with all of it learning at `SPEED_PX` from the first step."""
    changes = {
        "stages": (Stage(until=1.0, size_px=SPEED_PX),),
        "preprocess": run.recipe.preprocess.resized((SPEED_PX, SPEED_PX)),
    }
    return run.model_copy(update={"recipe": run.recipe.model_copy(update=changes), "result": None})


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


def judged(run_folder: Path, items: Sequence[Item]) -> npt.NDArray[np.float64]:
    """Calibrated probability of defect for items, kept beside the run once computed."""
    kept = run_folder / "judged.json"
    names = [item.path.name for item in items]
    if kept.exists():
        value: dict[str, Any] = json.loads(kept.read_text())
        if value["names"] == names:
            return np.array(value["probability"])
    probability = calibrated(run_folder, items)
    write_json(kept, {"names": names, "probability": probability.tolist()})
    return probability


def calibrated(run_folder: Path, items: Sequence[Item]) -> npt.NDArray[np.float64]:
    """Probability of defect at the temperature that suits the run's tune part, as an exported bundle has it."""
    run = read_run(run_folder)
    scorer, spec = torch_scorer(load_network(run_folder)), run.recipe.preprocess
    tune = score(scorer, run.role("tune"), spec)
    temperature = fit_temperature(tune.logits, tune.classes(run.labels))
    scored = score(scorer, items, spec)
    return np.asarray(defect_probability(scored.logits, temperature, run.labels.index(run.good)))


def truth(items: Sequence[Item]) -> npt.NDArray[np.bool_]:
    return np.array([item.label != "functional" for item in items])


def solar_cells(given: argparse.Namespace) -> list[Figure]:
    """Train what is not trained yet, judge all, and compare with the plain loop."""
    figures: list[Figure] = []
    accuracies: list[float] = []
    pooled: dict[str, float] = {}
    for name, run, items in planned(given.data, given.images):
        ensure(run, given.work / name)
        probability = judged(given.work / name, items)
        if name.startswith("random"):
            accuracies.append(float(((probability > 0.5) == truth(items)).mean()))
        elif name.startswith("fold"):
            pooled |= {item.path.name: float(one) for item, one in zip(items, probability, strict=True)}
        else:
            figures += split_figures(run, given.work / name, items, probability, given)
    everything = read_manifest(given.data, images=given.images, split_column="fold").items
    write_scores(given.work / SCORES, everything, pooled)
    return [*figures, random_figure(accuracies), pooled_figure(everything, pooled)]


def write_scores(path: Path, items: Sequence[Item], pooled: dict[str, float]) -> None:
    """Every cell with the probability from the run that has not seen its fold: the pool for `certificates.py --scores`."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["probability", "defective", "group"])
        for item, bad in zip(items, truth(items), strict=True):
            rows.writerow([pooled[item.path.name], int(bad), item.group])


def random_figure(accuracies: Sequence[float]) -> Figure:
    """Accuracy on the random split, over seeds; the spread is a t interval of their mean."""
    from scipy.stats import t  # noqa: PLC0415  (only this figure needs it)

    mean, count = float(np.mean(accuracies)), len(accuracies)
    half = float(t.ppf(0.975, count - 1) * np.std(accuracies, ddof=1) / count**0.5)
    return Figure(
        name="elpv_random_accuracy",
        value=round(mean, 4),
        unit="accuracy",
        target=">= 0.884",
        runs=count,
        spread=(round(mean - half, 4), round(mean + half, 4)),
        note="published CNN 0.8842, standard error of 656 pictures 0.0125; warm start",
    )


def auroc_with_interval(
    items: Sequence[Item], probability: npt.NDArray[np.float64]
) -> tuple[float, tuple[float, float]]:
    bad = truth(items)
    low, high = group_bootstrap(
        lambda rows: float(roc_auc_score(bad[rows], probability[rows])), [item.group for item in items]
    )
    return float(roc_auc_score(bad, probability)), (round(low, 4), round(high, 4))


def pooled_figure(items: Sequence[Item], pooled: dict[str, float]) -> Figure:
    """AUROC of all cells, each judged by the run that has not seen its fold."""
    value, spread = auroc_with_interval(items, np.array([pooled[item.path.name] for item in items]))
    return Figure(
        name="elpv_grouped_auroc_out_of_fold",
        value=round(value, 4),
        unit="AUROC",
        target=">= 0.90",
        runs=8,
        spread=spread,
        note="8 grouped folds pooled, interval over groups; frozen backbone with logistic regression 0.831, measured the same way; warm start",
    )


def split_figures(
    run: Run,
    folder: Path,
    items: Sequence[Item],
    probability: npt.NDArray[np.float64],
    given: argparse.Namespace,
) -> list[Figure]:
    """The grouped test split: ours, the plain loop's, and the review load at a certified escape rate."""
    bad = truth(items)
    value, spread = auroc_with_interval(items, probability)
    note = "test split of unseen modules, warm start"
    figures = [
        Figure(
            name="elpv_test_auroc",
            value=round(value, 4),
            unit="AUROC",
            target=">= 0.813",
            spread=spread,
            note=note,
        ),
        Figure(
            name="elpv_test_accuracy",
            value=round(float(((probability > 0.5) == bad).mean()), 4),
            unit="accuracy",
            note=note,
        ),
    ]
    theirs = plain.train(run, folder / "plain-cache", epochs=run.recipe.epochs)
    probability_plain = plain.defect_probability(theirs, items, run, folder / "plain-cache")
    figures.append(
        Figure(
            name="elpv_test_auroc_plain_loop",
            value=round(float(roc_auc_score(bad, probability_plain)), 4),
            unit="AUROC",
            note="float32 NCHW torchvision loop, same weights, pictures, epochs and size",
        )
    )
    calibration = read_manifest(given.data, images=given.images).split("val")
    return [*figures, *review_loads(folder, calibration, bad, probability)]


def review_loads(
    folder: Path,
    calibration: Sequence[Item],
    bad: npt.NDArray[np.bool_],
    probability: npt.NDArray[np.float64],
) -> list[Figure]:
    """Share of good test parts sent to review when 5 % escapes are certified on val, under both assumptions."""
    known = Calibration(
        probability=calibrated(folder, calibration),
        defective=truth(calibration),
        groups=tuple(item.group for item in calibration),
    )
    figures = []
    for name, independent in (("parts", True), ("groups", False)):
        found = certify(
            known, Costs(), max_escape=0.05, confidence=0.95, assume_independent_parts=independent
        )
        accept_at, reject_at = found.policy.accept_at, found.policy.reject_at
        accepted = probability <= accept_at if accept_at is not None else np.zeros(len(bad), bool)
        reviewed = ~accepted & (probability < (reject_at if reject_at is not None else 2.0))
        figures.append(
            Figure(
                name=f"elpv_review_load_{name}_exchangeable",
                value=round(float(reviewed[~bad].mean()), 4),
                unit="share of good test parts",
                note=f"{found.explanation(0.05, 0.95)}; on the test split {int(accepted[bad].sum())} of "
                f"{int(bad.sum())} defective cells accepted",
            )
        )
    return figures


if __name__ == "__main__":
    main()
