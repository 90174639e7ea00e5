"""A small shop to learn from: coloured discs and squares, in a tree of three levels, with titles and sizes."""

from pathlib import Path

import cv2
import numpy as np

from training.catalog.plan import plan_catalog
from training.catalog.run import CatalogRun
from training.manifest import Manifest, read_manifest
from training.recipe import Recipe, Stage
from vision.preprocess import PreprocessSpec

LEVELS = ("department", "family", "kind")
SIDE = 64
RECIPE = Recipe(
    name="small",
    backbone="resnet18",
    task="catalog",
    preprocess=PreprocessSpec(size_wh=(SIDE, SIDE)),
    stages=(Stage(until=1.0, size_px=SIDE),),
    epochs=1,
    batch_size=8,
    tune_fraction=0.25,
)
# kind: family, department, colour (BGR), shape
KINDS = {
    "ruby": ("stones", "goods", (30, 30, 220), "disc"),
    "emerald": ("stones", "goods", (40, 200, 40), "disc"),
    "brick": ("blocks", "goods", (40, 40, 200), "square"),
    "tile": ("blocks", "goods", (200, 120, 40), "square"),
    "voucher": ("voucher", "papers", (200, 200, 200), "square"),  # told at each level by the same name
}


def shop(folder: Path, *, each: int = 12, seed: int = 0) -> Path:
    """Write pictures and a manifest with `each` items a kind; returns the manifest's path."""
    rng = np.random.default_rng(seed)
    rows = ["path,department,family,kind,split,group,title,size,weight"]
    for kind, (family, department, colour, shape) in KINDS.items():
        for index in range(each):
            picture = rng.integers(90, 120, (80, 80, 3), np.uint8)
            x, y = (int(value) for value in rng.integers(24, 56, 2))
            if shape == "disc":
                cv2.circle(picture, (x, y), 16, colour, -1)
            else:
                cv2.rectangle(picture, (x - 14, y - 14), (x + 14, y + 14), colour, -1)
            path = folder / f"{kind}-{index:02}.png"
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
            split = ("train", "train", "train", "train", "val", "test")[index % 6]
            title = f"{'round' if shape == 'disc' else 'flat'} {family} no {index}" if index % 4 else ""
            size = ("small", "large", "")[index % 3]
            rows.append(
                f"{path.name},{department},{family},{kind},{split},{kind}{index},{title},{size},{index % 2}"
            )
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def read_shop(path: Path) -> Manifest:
    return read_manifest(path, label_columns=LEVELS)


def planned(path: Path, *, text: str | None = "title", attributes: tuple[str, ...] = ("size",)) -> CatalogRun:
    manifest = read_shop(path)
    return plan_catalog(
        manifest,
        manifest.split("train"),
        RECIPE,
        levels=LEVELS,
        text=text,
        attributes=attributes,
        weights="none",
    )
