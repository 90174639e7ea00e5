"""What the runs of `benchmarks/elpv_runs.py` reach on solar cells that they have not seen, and what a plain loop reaches.

Called by `benchmarks/training.py --data`. The parts stand alone, so that the random split can be judged while the folds still train.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from benchmarks import plain
from benchmarks.common import Figure
from benchmarks.elpv_runs import FOLDS, GOOD, RECIPE, planned
from benchmarks.runs import Probabilities, auroc_with_interval, calibrated, ensure, judged, truth
from training.certify import Calibration, certify
from training.manifest import Item, read_manifest
from training.run import Run
from vision.inspection.policy import Costs

SCORES = "out-of-fold.csv"


def figures(data: Path, images: Path, work: Path, parts: Sequence[str], *, recipe: str) -> list[Figure]:
    """Train what is not trained yet and judge it, part by part."""
    made = {"random": random_split, "folds": out_of_fold, "split": unseen_modules}
    return [figure for part in parts for figure in made[part](data, images, work, recipe)]


def random_split(data: Path, images: Path, work: Path, recipe: str) -> list[Figure]:
    """Accuracy on the random split, over seeds; the spread is a t interval of their mean."""
    accuracies, areas, runs = [], [], []
    for name, run, items in planned(data, images, ["random"], recipe=recipe):
        runs.append(ensure(run, work / name))
        probability, bad = judged(work / name, items), truth(items, GOOD)
        accuracies.append(float(((probability > 0.5) == bad).mean()))
        areas.append(float(roc_auc_score(bad, probability)))
    note = f"published CNN 0.8842, standard error of 656 pictures 0.0125; {how(runs)}"
    if recipe != RECIPE:
        note += "; a second look at this test part"
    return [
        over_seeds("elpv_random_accuracy", accuracies, "accuracy", target=">= 0.884", note=note),
        over_seeds("elpv_random_auroc", areas, "AUROC", note="the same runs"),
    ]


def how(runs: Sequence[Run]) -> str:
    """What the runs have in common, and where they were trained."""
    places = {run.result.processor for run in runs if run.result and run.result.processor}
    return ", ".join(
        [
            f"{runs[0].weights} weights",
            f"recipe {runs[0].recipe.name}",
            *(f"trained on {place}" for place in sorted(places)),
        ]
    )


def over_seeds(
    name: str, values: Sequence[float], unit: str, *, target: str | None = None, note: str
) -> Figure:
    """A mean with its 95 % t interval."""
    mean, count = float(np.mean(values)), len(values)
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    spread = (round(mean - half, 4), round(mean + half, 4))
    return Figure(
        name=name, value=round(mean, 4), unit=unit, target=target, runs=count, spread=spread, note=note
    )


def out_of_fold(data: Path, images: Path, work: Path, recipe: str) -> list[Figure]:
    """AUROC of all cells, each judged by the run that has not seen its fold; the scores are kept for `certificates.py --scores`."""
    everything: list[Item] = []
    probabilities: list[Probabilities] = []
    runs = []
    for name, run, items in planned(data, images, ["folds"], recipe=recipe):
        runs.append(ensure(run, work / name))
        everything += items
        probabilities.append(judged(work / name, items))
    pooled = np.concatenate(probabilities)
    write_scores(work / SCORES, everything, pooled)
    value, spread = auroc_with_interval(everything, GOOD, pooled)
    each = ", ".join(f"{one:.3f}" for one in aurocs_by_split(everything, pooled))
    return [
        Figure(
            name="elpv_grouped_auroc_out_of_fold",
            value=value,
            unit="AUROC",
            target=">= 0.90",
            runs=len(FOLDS),
            spread=spread,
            note=f"8 grouped folds pooled, interval over groups; fold by fold {each}; frozen backbone with logistic regression "
            f"0.831, measured the same way; {how(runs)}",
        )
    ]


def aurocs_by_split(items: Sequence[Item], probability: Probabilities) -> list[float]:
    splits = np.array([item.split for item in items])
    bad = truth(items, GOOD)
    return [
        float(roc_auc_score(bad[splits == one], probability[splits == one])) for one in dict.fromkeys(splits)
    ]


def write_scores(path: Path, items: Sequence[Item], pooled: Probabilities) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["probability", "defective", "group"])
        for item, bad, one in zip(items, truth(items, GOOD), pooled, strict=True):
            rows.writerow([float(one), int(bad), item.group])


def unseen_modules(data: Path, images: Path, work: Path, recipe: str) -> list[Figure]:
    """The grouped test split: ours, the plain loop's, and the review load at a certified escape rate."""
    ((name, run, items),) = planned(data, images, ["split"], recipe=recipe)
    folder = work / name
    finished = ensure(run, folder)
    probability, bad = judged(folder, items), truth(items, GOOD)
    value, spread = auroc_with_interval(items, GOOD, probability)
    note = f"test split of unseen modules, {how([finished])}"
    accuracy = round(float(((probability > 0.5) == bad).mean()), 4)
    calibration = read_manifest(data, images=images).split("val")
    return [
        Figure(
            name="elpv_test_auroc", value=value, unit="AUROC", target=">= 0.813", spread=spread, note=note
        ),
        Figure(name="elpv_test_accuracy", value=accuracy, unit="accuracy", note=note),
        plain_loop(run, folder, items),
        *review_loads(folder, calibration, bad, probability),
    ]


def plain_loop(run: Run, folder: Path, items: Sequence[Item]) -> Figure:
    theirs = plain.train(run, folder / "plain-cache", epochs=run.recipe.epochs)
    probability = plain.defect_probability(theirs, items, run, folder / "plain-cache")
    return Figure(
        name="elpv_test_auroc_plain_loop",
        value=round(float(roc_auc_score(truth(items, GOOD), probability)), 4),
        unit="AUROC",
        note="float32 NCHW torchvision loop, same weights, pictures, epochs and size",
    )


def review_loads(
    folder: Path, calibration: Sequence[Item], bad: npt.NDArray[np.bool_], probability: Probabilities
) -> list[Figure]:
    """Share of good test parts sent to review when 5 % escapes are certified on val, under both assumptions."""
    (scores,) = calibrated(folder, calibration)
    known = Calibration(
        probability=scores,
        defective=truth(calibration, GOOD),
        groups=tuple(item.group for item in calibration),
    )
    found = {
        name: certify(known, Costs(), max_escape=0.05, confidence=0.95, assume_independent_parts=independent)
        for name, independent in (("parts", True), ("groups", False))
    }
    loads = []
    for name, one in found.items():
        accept_at, reject_at = one.policy.accept_at, one.policy.reject_at
        accepted = probability <= accept_at if accept_at is not None else np.zeros(len(bad), bool)
        reviewed = ~accepted & (probability < (reject_at if reject_at is not None else 2.0))
        loads.append(
            Figure(
                name=f"elpv_review_load_{name}_exchangeable",
                value=round(float(reviewed[~bad].mean()), 4),
                unit="share of good test parts",
                note=f"{one.explanation(0.05, 0.95)}; on the test split {int(accepted[bad].sum())} of "
                f"{int(bad.sum())} defective cells accepted",
            )
        )
    return loads
