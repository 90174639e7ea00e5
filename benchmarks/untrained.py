"""A bundle that is real in all but its wisdom: a ResNet-50 from the warm start, untrained, on made-up pictures."""

from pathlib import Path

import cv2
import numpy as np
from safetensors.torch import save_file

from training.export import OUTPUTS, blank, load_network, to_onnx
from training.manifest import Item
from training.model import build
from training.pack import FLOAT32, INT8, pack
from training.quantise import calibration_pictures, guard_figures, quantise
from training.recipe import Recipe, Stage, read_recipe
from training.run import Picture, Result, Run
from training.score import score
from vision.bundle import Bundle
from vision.session import Session


def untrained_run(folder: Path, *, pictures: int = 40, recipe: Recipe | None = None) -> Run:
    """A finished run that learned nothing, with its pictures; a ResNet-50 unless `recipe` says otherwise."""
    recipe = recipe or read_recipe("resnet50")
    weights = "warmstart" if recipe.backbone == "resnet50" else "none"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    found = []
    for index in range(pictures):
        image = rng.integers(60, 120, (220, 220, 3), np.uint8)
        if index % 2:
            cv2.circle(image, (int(rng.integers(50, 170)), int(rng.integers(50, 170))), 30, (20, 20, 220), -1)
        path = folder / f"{index:03d}.png"
        cv2.imwrite(str(path), cv2.GaussianBlur(image, (5, 5), 0))
        label = "defective" if index % 2 else "good"
        item = Item(path=path, label=label, split="train", group=path.name, columns={})
        found.append(Picture.of(item, "tune" if index >= pictures - 8 else "train"))
    run = Run(
        recipe=recipe,
        weights=weights,
        seed=0,
        minutes=None,
        labels=("defective", "good"),
        good="good",
        data_digest="0" * 64,
        split_column="split",
        pictures=tuple(found),
        result=Result(
            step=0, steps=0, tune_score=0.5, tune_loss=0.7, seconds=0, images_per_s=0, stopped="complete"
        ),
    )
    run.write(folder)
    state = build(recipe.backbone, 2, weights).state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    return run


def at_one_size(recipe: Recipe, side: int) -> Recipe:
    """The recipe with all of it learning at one size from the first step."""
    changes = {
        "stages": (Stage(until=1.0, size_px=side),),
        "preprocess": recipe.preprocess.resized((side, side)),
    }
    return recipe.model_copy(update=changes)


def untrained_bundle(out: Path, recipe: Recipe | None = None) -> Bundle:
    """The run's bundle with both files; the guard's figures are recorded, not enforced: speed is what is measured."""
    folder = out.with_name(out.name + "-run")
    run = untrained_run(folder, recipe=recipe)
    network, spec = load_network(folder), run.recipe.preprocess
    files = {FLOAT32: to_onnx(network, blank(spec.size_wh), OUTPUTS)}
    files[INT8] = quantise(files[FLOAT32], calibration_pictures(run))
    sessions = {name: Session(data, name=name) for name, data in files.items()}
    scored = {name: score(session.run, run.role("tune"), spec) for name, session in sessions.items()}
    guard = guard_figures(run, scored[FLOAT32], scored[INT8])
    return pack(run, out, files, sessions, scored, guard=guard, name="untrained", version="0")
