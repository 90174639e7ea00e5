"""Runs that figures rest on: prepared from a manifest, trained once and kept, judged on what they have not seen."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from training.certify import fit_temperature
from training.export import load_network
from training.fit import fit
from training.manifest import Item
from training.run import R, Run, read_run
from training.score import score, torch_scorer
from training.statistics import group_bootstrap
from vision.files import write_json
from vision.inspection.prediction import defect_probability
from vision.preprocess import PreprocessSpec

Probabilities = npt.NDArray[np.float64]


def ensure(run: R, out: Path) -> R:
    """Train unless `out` holds this very run, finished."""
    if (out / "run.json").exists():
        found = read_run(out, type(run))
        if not found.same_as(run):
            raise SystemExit(f"{out}: holds another run; give a fresh --work")
        if found.result is not None:
            return found
    out.mkdir(parents=True, exist_ok=True)
    run.write(out)
    return fit(run, out)


def judged(run_folder: Path, items: Sequence[Item]) -> Probabilities:
    """Calibrated probability of defect for items, kept beside the run once computed."""
    kept = run_folder / "judged.json"
    names = [item.path.name for item in items]
    if kept.exists():
        value: dict[str, Any] = json.loads(kept.read_text())
        if value["names"] == names:
            return np.array(value["probability"])
    (probability,) = calibrated(run_folder, items)
    write_json(kept, {"names": names, "probability": probability.tolist()})
    return probability


def calibrated(run_folder: Path, items: Sequence[Item], *specs: PreprocessSpec) -> list[Probabilities]:
    """Probabilities of defect at the temperature that suits the run's tune part, as an exported bundle has it.

    Args:
        specs: how to prepare the items, one result each; none: as the run says.
    """
    run = read_run(run_folder, Run)
    scorer = torch_scorer(load_network(run_folder))
    tune = score(scorer, run.role("tune"), run.recipe.preprocess)
    temperature = fit_temperature(tune.logits, tune.classes(run.labels))
    good = run.labels.index(run.good)
    return [
        np.asarray(defect_probability(score(scorer, items, spec).logits, temperature, good))
        for spec in specs or (run.recipe.preprocess,)
    ]


def truth(items: Sequence[Item], good: str) -> npt.NDArray[np.bool_]:
    """Which items are defective."""
    return np.array([item.label != good for item in items])


def auroc_with_interval(
    items: Sequence[Item], good: str, probability: Probabilities
) -> tuple[float, tuple[float, float]]:
    """AUROC and its 95 % bootstrap interval over groups."""
    bad = truth(items, good)
    low, high = group_bootstrap(
        lambda rows: float(roc_auc_score(bad[rows], probability[rows])), [item.group for item in items]
    )
    return round(float(roc_auc_score(bad, probability)), 4), (round(low, 4), round(high, 4))
