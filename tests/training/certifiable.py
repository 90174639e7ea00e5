"""The small bundle of `tests.bundles` with what `loupe certify` takes, and parts to certify it on."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bundles import (
    BLUE,
    FLOAT32,
    INT8,
    RED,
    TEMPERATURE,
    known_embeddings,
    make_bundle,
    onnx_model,
    part,
    prepared_batch,
    spotted,
)
from training.data import file_digest, fingerprint, group_fingerprints
from training.manifest import Item
from vision.bundle import REFERENCE, Bundle, pack_arrays
from vision.image import encode_png
from vision.inspection.novelty import reference
from vision.session import Session


def certifiable_bundle(
    path: Path,
    *,
    seen: Iterable[Path] = (),
    groups: Iterable[str] = (),
    int8: bool = False,
    key: Ed25519PrivateKey | None = None,
    without: str | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> Bundle:
    """An exported bundle: no certificate yet.

    Args:
        seen: the pictures it was trained on.
        groups: the names of their groups.
        without: an array of the reference to leave out.
        contents: files to put in the place of those made here.
    """
    arrays = reference_arrays((FLOAT32, INT8) if int8 else (FLOAT32,))
    arrays["seen"] = np.array([fingerprint(file_digest(picture)) for picture in seen], np.uint64)
    learned = [Item(path=path, label="good", split="train", group=name, columns={}) for name in groups]
    arrays["seen_groups"] = np.array(sorted(group_fingerprints(learned)), np.uint64)
    kept = {name: array for name, array in arrays.items() if name != without}
    return make_bundle(
        path, certified=False, int8=int8, key=key, contents={REFERENCE: pack_arrays(kept), **(contents or {})}
    )


def reference_arrays(names: Sequence[str]) -> dict[str, Any]:
    """What an export leaves in `reference.npz`; the tune part's logits are too sure by `TEMPERATURE`."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (3000, 3))
    shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    arrays: dict[str, Any] = {
        "embeddings": known_embeddings().astype(np.float16),
        "tune_classes": (rng.random((len(shares), 1)) > shares.cumsum(1)).sum(1),
    }
    for name in names:
        arrays[f"tune_logits_{name}"] = (TEMPERATURE * honest).astype(np.float32)
        arrays[f"tune_distances_{name}"] = _distances()
    return arrays


@cache
def _distances() -> Any:
    good = prepared_batch(*[part(seed) for seed in range(300, 400)])
    embeddings = Session(onnx_model(), threads=1).run(good, ["embedding"])["embedding"]
    return reference(known_embeddings()).distances(embeddings)


def parts(
    folder: Path,
    *,
    good: int = 40,
    defective: int = 60,
    split: str = "val",
    group_of: int = 1,
    seed: int = 1000,
) -> list[Item]:
    """Pictures on disk, defective ones first, red and blue in turn; `group_of` neighbours make a group."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for index in range(defective + good):
        colour, label = (RED, "red") if index % 2 else (BLUE, "blue")
        broken = index < defective
        cell = (index % 4, index // 4 % 4)
        picture = spotted(seed + index, colour=colour, cell_xy=cell) if broken else part(seed + index)
        path = folder / f"{split}-{seed + index}.png"
        path.write_bytes(encode_png(picture))
        group = f"{split}-{seed + index // group_of}"
        items.append(Item(path=path, label=label if broken else "good", split=split, group=group, columns={}))
    return items


def write_csv(path: Path, items: Iterable[Item], **columns: Sequence[str]) -> Path:
    """A manifest of items, with absolute paths; `columns` adds further ones."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "group", *columns])
        writer.writerows(
            [item.path, item.label, item.split, item.group, *(values[index] for values in columns.values())]
            for index, item in enumerate(items)
        )
    return path
