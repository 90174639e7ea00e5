"""Finished training runs without the training: random features, and a head fitted to them in one stroke.

A ResNet-18 at 64 px with random weights sees a red disc well enough for a linear head, so the run answers like
one that learned. With `hairs` no plate has a disc and labels are drawn by lot: the head splits hairs, and what is
rounded to eight bits answers otherwise.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from training.manifest import Item
from training.model import Network, build
from training.recipe import Recipe, Stage
from training.run import Picture, Result, Run
from training.score import score, torch_scorer
from vision.preprocess import PreprocessSpec

LABELS = ("defective", "good")
SIDE = 64
RECIPE = Recipe(
    name="small",
    backbone="resnet18",
    preprocess=PreprocessSpec(size_wh=(SIDE, SIDE)),
    stages=(Stage(until=1.0, size_px=SIDE),),
)


def plates(
    folder: Path, count: int, *, seed: int = 0, split: str = "train", hairs: bool = False
) -> list[Item]:
    """Grey plates with grain, and every other one with a red disc: defective."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    lot = rng.permutation(count) % 2
    items = []
    for index in range(count):
        plate_bgr = rng.integers(70, 110, (80, 80, 3), np.uint8)
        if index % 2 and not hairs:
            centre_xy = (int(rng.integers(20, 60)), int(rng.integers(20, 60)))
            cv2.circle(plate_bgr, centre_xy, int(rng.integers(6, 12)), (20, 20, 230), -1)
        path = folder / f"{split}-{index:03}.png"
        cv2.imwrite(str(path), plate_bgr)
        defective = bool(lot[index] if hairs else index % 2)
        label = "defective" if defective else "good"
        items.append(Item(path=path, label=label, split=split, group=path.stem, columns={}))
    return items


def finished_run(folder: Path, *, train: int = 40, tune: int = 20, hairs: bool = False) -> Run:
    """Write a finished run and its pictures."""
    items = plates(folder / "pictures", train + tune, hairs=hairs)
    run = Run(
        recipe=RECIPE,
        weights="none",
        seed=0,
        minutes=None,
        labels=LABELS,
        good="good",
        data_digest="0" * 64,
        split_column="split",
        pictures=tuple(
            Picture.of(item, "train" if index < train else "tune") for index, item in enumerate(items)
        ),
        result=Result(
            step=1, steps=1, tune_score=0.99, tune_loss=0.1, seconds=1, images_per_s=1, stopped="complete"
        ),
    )
    run.write(folder)
    state = _fitted(run, sureness=50.0 if hairs else 2.0).state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    return run


def _fitted(run: Run, *, sureness: float) -> Network:
    """Ridge regression from random features to the labels, as logits of plus and minus `sureness`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(run.recipe.backbone, len(run.labels), run.weights)
    scored = score(torch_scorer(network), run.role("train"), run.recipe.preprocess)
    embeddings = scored.embeddings.astype(np.float64)
    middle = embeddings.mean(0)
    centred = embeddings - middle
    wanted = np.where(scored.classes(run.labels) == 0, sureness, -sureness)
    inner = centred @ centred.T
    weights = centred.T @ np.linalg.solve(
        inner + 1e-3 * np.trace(inner) / len(inner) * np.eye(len(inner)), wanted
    )
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(np.stack([weights, -weights])))
        network.head.bias.copy_(torch.from_numpy(np.array([-weights @ middle, weights @ middle])))
    return network
