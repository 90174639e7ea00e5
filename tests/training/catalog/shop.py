"""A small shop to learn from: coloured discs and squares, in a tree of three levels, with titles and sizes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from training.catalog.lesson import CatalogLesson
from training.catalog.plan import plan_catalog
from training.catalog.run import CatalogRun
from training.data import file_digest
from training.manifest import Item, Manifest, read_manifest
from training.recipe import Recipe, Stage
from training.run import Result
from vision.files import write_bytes
from vision.preprocess import PreprocessSpec, prepare_file

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


def shop(folder: Path, *, each: int = 12, seed: int = 0, title_column: str = "title") -> Path:
    """Write pictures and a manifest with `each` items a kind; returns the manifest's path."""
    rng = np.random.default_rng(seed)
    rows = [f"path,department,family,kind,split,group,{title_column},size,weight"]
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
            size = ("small", "large", "")[index // 6 % 3]
            rows.append(
                f"{path.name},{department},{family},{kind},{split},{kind}{index},{title},{size},{index % 2}"
            )
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def lessons(folder: Path, items: Iterable[Item], *, title_column: str = "title") -> Path:
    """What `loupe catalog lessons` leaves of these products in `folder`; returns the manifest's path."""
    from vision.client.catalog_values import FeedbackKind, FeedbackRow, FeedbackState
    from vision.commands.catalog_feedback import exported

    rows = [
        FeedbackRow(
            item_id=item.group,
            title=item.columns[title_column],
            attributes={"size": item.columns["size"]} if item.columns["size"] else {},
            photo_sha256s=(file_digest(item.path),),
            photos=(item.path.read_bytes(),),
            labels={level: item.columns[level] for level in LEVELS},
            said=dict.fromkeys(LEVELS, "something else"),
            kind=FeedbackKind.CORRECTION,
            state=FeedbackState.ACCEPTED,
            by="kim",
            at=datetime(2026, 11, 28, tzinfo=UTC),
            comment="",
            split="",
        )
        for item in items
    ]
    manifest = folder / "manifest.csv"
    write_bytes(manifest, exported(rows, folder).encode())
    return manifest


def read_shop(path: Path) -> Manifest:
    return read_manifest(path, label_columns=LEVELS)


def planned(
    path: Path,
    *,
    text: str | None = "title",
    attributes: tuple[str, ...] = ("size",),
    corrected: Sequence[Item] = (),
) -> CatalogRun:
    manifest = read_shop(path)
    return plan_catalog(
        manifest,
        manifest.split("train"),
        RECIPE,
        levels=LEVELS,
        text=text,
        attributes=attributes,
        corrected=corrected,
        weights="none",
    )


def finished_shop(folder: Path, *, each: int = 24) -> CatalogRun:
    """A finished run in `folder / "run"`: random features, and heads learned on them."""
    run = planned(shop(folder / "pictures", each=each))
    lesson = CatalogLesson(run)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = lesson.network()
        pixels = np.stack(
            [prepare_file(item.path, RECIPE.preprocess).image_hwc for item in run.role("train")]
        )
        lesson.begin(network, pixels, lambda _: None)
    done = Result(
        measure="accuracy",
        step=1,
        steps=1,
        tune_score=1,
        tune_loss=0,
        seconds=1,
        images_per_s=1,
        stopped="complete",
    )
    finished = run.model_copy(update={"result": done})
    (folder / "run").mkdir()
    finished.write(folder / "run")
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "run" / "model.safetensors")
    return finished
