"""A finished catalog run to a bundle: the ONNX graph, its parity, its int8 form and all that the bundle carries.

As `training.export` for inspection, whose parts it uses: nothing is packed that did not answer like the network it came from.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

from training.catalog.lesson import shape_of
from training.catalog.network import CatalogNetwork, build_catalog
from training.catalog.pack import Made, pack
from training.catalog.run import CatalogRun
from training.catalog.score import CatalogScored, Reading, score, session_scorer, torch_scorer
from training.export import Exported, Parity, blank, checked, refuse_unfinished, to_onnx
from training.manifest import Item
from training.pack import FLOAT32, INT8
from training.quantise import Allowance, calibration_pictures, quantise, refusal
from training.run import read_run
from vision.bundle import Guard, refuse_other_folder
from vision.catalog.outputs import ATTRIBUTES, NO_IMAGE, TEXT
from vision.session import Session

_COMPARED: Final = 64
_DEFAULTS: Final = Allowance()


def export_catalog(
    run_folder: Path,
    out: Path,
    *,
    int8: bool = False,
    allowed: Allowance = _DEFAULTS,
    name: str = "catalog",
    version: str = "1.0",
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export, check and pack a finished run; arguments and errors as `training.export.export`."""
    refuse_other_folder(out)
    run, network = read_run(run_folder, CatalogRun), load_catalog_network(run_folder)
    reading = reading_of(run)
    say("exporting to ONNX")
    tune, made = run.role("tune"), {}
    made[FLOAT32] = _made(FLOAT32, to_onnx(network, example(run), network.output_names), tune, reading)
    say("comparing with torch on real pictures")
    parity = compare(
        score(torch_scorer(network, device="cpu"), tune[:_COMPARED], reading), made[FLOAT32].tuned
    )
    guard, said = None, "not asked for"
    if int8:
        say("quantising to int8")
        candidate = _made(INT8, quantise(made[FLOAT32].data, calibration_pictures(run)), tune, reading)
        guard = guard_figures(made[FLOAT32].tuned, candidate.tuned)
        refused = refusal(guard, allowed)
        said = refused or "packed"
        if refused is None:
            made[INT8] = candidate
    say("reading the training pictures")
    known = score(session_scorer(made[FLOAT32].session), run.role("train"), reading)
    say("packing")
    bundle = pack(run, out, made, known=known, guard=guard, name=name, version=version)
    return Exported(bundle=bundle, parity=parity, guard=guard, int8=said)


def _made(name: str, data: bytes, tune: Sequence[Item], reading: Reading) -> Made:
    session = Session(data, name=name)
    return Made(data=data, session=session, tuned=score(session_scorer(session), tune, reading))


def load_catalog_network(run_folder: Path) -> CatalogNetwork:
    """The trained network of a finished run.

    Raises:
        SettingsError: the folder holds no finished catalog run.
    """
    run = read_run(run_folder, CatalogRun)
    refuse_unfinished(run, run_folder)
    weights = str(run_folder / "model.safetensors")
    return build_catalog(run.recipe.backbone, shape_of(run), weights).eval()


def reading_of(run: CatalogRun) -> Reading:
    """What the run's model tells apart and reads."""
    return Reading(
        taxonomy=run.taxonomy, title=run.title, attributes=run.attributes, preprocess=run.recipe.preprocess
    )


def example(run: CatalogRun) -> dict[str, torch.Tensor]:
    """Two rows of every input that the run's network has."""
    inputs = blank(run.recipe.preprocess.size_wh)
    if run.title:
        inputs[TEXT] = torch.zeros((2, run.title.spec.length), dtype=torch.int64)
    if run.attributes:
        inputs[ATTRIBUTES] = torch.zeros((2, len(run.attributes.columns)), dtype=torch.int64)
    if len(inputs) > 1:
        inputs[NO_IMAGE] = torch.zeros(2)
    return inputs


def compare(expected: CatalogScored, found: CatalogScored) -> Parity:
    """Compare the logits of all levels and subsets on the items that both scored.

    Raises:
        GuardError: they answer differently.
    """
    count = len(expected.items)
    pairs = list(zip(expected.logits, (level[:count] for level in found.logits), strict=True))
    whole = expected.reading.modalities
    labels = [one.by_level(whole)[-1][:count].argmax(1) for one in (expected, found)]
    return checked(
        Parity(
            pictures=count,
            max_logit_difference=float(np.max([np.abs(one - other).max() for one, other in pairs])),
            max_cam_difference=0.0,
            label_disagreements=int((labels[0] != labels[1]).sum()),
        )
    )


def guard_figures(before: CatalogScored, after: CatalogScored) -> Guard:
    """What another file changes on the same items, at the finest level with all modalities."""
    whole = before.reading.modalities
    one, other = (scored.by_level(whole)[-1].argmax(1) for scored in (before, after))
    truth = before.truth(-1).argmax(1)
    drop = balanced_accuracy_score(truth, one) - balanced_accuracy_score(truth, other)
    moved = [np.abs(first - second).max() for first, second in zip(before.logits, after.logits, strict=True)]
    return Guard(
        pictures=len(truth),
        balanced_accuracy_drop=round(100 * float(drop), 4),
        verdict_changes=round(float((one != other).mean()), 6),
        max_logit_difference=round(float(np.max(moved)), 4),
    )
