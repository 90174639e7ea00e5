"""Embeddings of catalogs' pictures, computed once and kept: what the search figures rest on.

Takes folders that hold a `manifest.csv` with the columns `path` and `fine_label` (and, where present, `coarse_label`, `split` and
`iconic_path`), gives `Pictures`. The embeddings are a bundle's, or without one those of the warm start.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import cv2
import numpy as np
import numpy.typing as npt
import torch

from training.model import build
from training.processor import precision_here
from training.recipe import read_recipe
from vision.bundle import open_bundle
from vision.errors import ManifestError
from vision.files import atomic_path
from vision.image import Pixels, read_bytes
from vision.preprocess import PreprocessSpec, prepare_bytes
from vision.session import Session

SIZE_PX: Final = 160
GREY_PX: Final = 64
ICONIC: Final = "iconic"
COPY: Final = "copy"
COPIED: Final = 32
"""Of so many pictures, one is also copied, in each of the ways of `CHANGES`."""
_BATCH: Final = 16

Texts = npt.NDArray[np.str_]
Embedder = Callable[[Pixels], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """N pictures in their manifests' order, each catalog's iconic ones and copies after its own.

    Attributes:
        embeddings: float32 (N, D), as the network gives them.
        greys: uint8 (N, GREY_PX, GREY_PX), to compare pixels by.
        split: as the manifest says; `iconic` for a class's own picture, `copy` for a copy of another with the same path.
        digest: SHA-256 of the file.
        model: whose embeddings these are.
    """

    embeddings: npt.NDArray[np.float32]
    greys: npt.NDArray[np.uint8]
    path: Texts
    catalog: Texts
    fine: Texts
    coarse: Texts
    split: Texts
    digest: Texts
    model: Texts

    def where(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """The chosen rows."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        return type(self)(**{name: value[chosen] if value.ndim else value for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class _Row:
    path: Path
    catalog: str
    fine: str
    coarse: str
    split: str
    change: str = ""


def _smaller(pixels_bgr: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels_bgr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _noisy(pixels_bgr: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 6, pixels_bgr.shape)
    return np.clip(pixels_bgr + noise, 0, 255).astype(np.uint8)


CHANGES: Final[dict[str, tuple[int, Callable[[Pixels], Pixels]]]] = {
    "quality 50": (50, lambda pixels: pixels),
    "half the size": (90, _smaller),
    "noise of 6 levels": (90, _noisy),
}
"""How a picture is copied: JPEG quality, and what is done before."""


def _data(row: _Row) -> bytes:
    data = read_bytes(row.path)
    if not row.change:
        return data
    quality, changed = CHANGES[row.change]
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", changed(np.asarray(pixels)), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def pictures(
    folders: Sequence[Path], kept: Path, bundle: Path | None = None, *, advance: Callable[[int], None]
) -> Pictures:
    """What `kept` holds, computed before if it is not there.

    Raises:
        ManifestError: a folder has no manifest, or not its columns.
    """
    if not kept.exists():
        with atomic_path(kept) as unfinished, unfinished.open("wb") as file:
            np.savez(file, **_computed(folders, bundle, advance))  # type: ignore[arg-type]
    return read(kept)


def read(kept: Path) -> Pictures:
    """Pictures as an earlier run kept them."""
    with np.load(kept, allow_pickle=False) as arrays:
        return Pictures(**{one.name: arrays[one.name] for one in fields(Pictures)})


def made_up(count: int, *, classes: int = 12, dimension: int = 300) -> Pictures:
    """Classes as clouds of positive vectors; of each class an iconic picture, every tenth picture copied, and one there twice."""
    rng = np.random.default_rng(0)
    centres = rng.random((classes, dimension))
    number = np.concatenate([np.arange(count), np.arange(classes), np.arange(0, count, 10)])
    fine = number % classes
    split = np.array(["train", "test", ICONIC, COPY])[number % 2]  # as long as the longest
    split[count : count + classes], split[count + classes :] = ICONIC, COPY
    one_each = rng.standard_normal((len(number), dimension))[number]
    greys = rng.integers(0, 256, (len(number), GREY_PX, GREY_PX), np.uint8)
    greys[count:] = greys[number[count:]]
    embeddings = np.abs(centres[fine] + 0.2 * one_each + 0.02 * rng.standard_normal(one_each.shape))
    digest = np.array([f"{place}" for place in range(len(number))])
    embeddings[classes], greys[classes], digest[classes] = embeddings[0], greys[0], digest[0]
    return Pictures(
        embeddings=embeddings.astype(np.float32),
        greys=greys,
        path=np.array([f"{one}.jpg" for one in number]),
        catalog=np.full(len(number), "made-up"),
        fine=np.array([f"class-{one}" for one in fine]),
        coarse=np.full(len(number), ""),
        split=split,
        digest=digest,
        model=np.array("made-up vectors"),
    )


def _computed(
    folders: Sequence[Path], bundle: Path | None, advance: Callable[[int], None]
) -> dict[str, npt.NDArray[Any]]:
    rows = [row for folder in folders for row in _rows(folder)]
    embedder, spec, model = _warm_start() if bundle is None else _of_bundle(bundle)
    embeddings, greys, digests = [], [], []
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        data = [_data(row) for row in some]
        prepared = [prepare_bytes(one, spec).image_hwc for one in data]
        embeddings.append(embedder(np.stack(prepared)))
        greys += [_grey(one) for one in prepared]
        digests += [hashlib.sha256(one).hexdigest() for one in data]
        advance(len(some))
    columns = {
        name: np.array([str(getattr(row, name)) for row in rows])
        for name in ("path", "catalog", "fine", "coarse", "split")
    }
    made: dict[str, npt.NDArray[Any]] = {
        "embeddings": np.concatenate(embeddings),
        "greys": np.stack(greys),
        "digest": np.array(digests),
    }
    return columns | made | {"model": np.array(model)}


def _rows(folder: Path) -> Iterator[_Row]:
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ManifestError(f"{manifest}: cannot be read: {error.strerror}") from error
    missing = {"path", "fine_label"} - rows[0].keys()
    if missing:
        raise ManifestError(f"{manifest}: expected a column '{min(missing)}', found: {', '.join(rows[0])}")
    for row in rows:
        yield _row(folder, row["path"], row, row.get("split", ""))
    yield from _iconic(folder, rows)
    for row in rows[::COPIED]:
        for change in CHANGES:
            yield replace(_row(folder, row["path"], row, COPY), change=change)


def _iconic(folder: Path, rows: Iterable[dict[str, str]]) -> Iterator[_Row]:
    """Each class's own picture once."""
    by_path = {row["iconic_path"]: row for row in rows if row.get("iconic_path")}
    for path, row in sorted(by_path.items()):
        yield _row(folder, path, row, ICONIC)


def _row(folder: Path, path: str, row: dict[str, str], split: str) -> _Row:
    return _Row(folder / path, folder.name, row["fine_label"], row.get("coarse_label", ""), split)


def _warm_start() -> tuple[Embedder, PreprocessSpec, str]:
    """In bf16 where the processor computes in it; its embeddings' cosine with those in float32 is 1.0000."""
    network = build("resnet50", 2, "warmstart").eval()
    spec = read_recipe("resnet50").preprocess.resized((SIZE_PX, SIZE_PX))
    fast = precision_here() == "bf16-mixed"

    @torch.inference_mode()
    def embed(images_nhwc: Pixels) -> npt.NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            features = network.features(torch.from_numpy(images_nhwc))
        return np.asarray(features.float().mean((2, 3)).numpy())

    return embed, spec, f"warm start of ResNet-50 at {SIZE_PX} px"


def _of_bundle(path: Path) -> tuple[Embedder, PreprocessSpec, str]:
    bundle = open_bundle(path)
    session = Session(bundle.read("model.onnx"), name=str(path))
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return lambda images: session.run(images, ["embedding"])["embedding"], bundle.manifest.preprocess, name


def _grey(image_hwc: Pixels) -> Pixels:
    grey = cv2.cvtColor(image_hwc, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (GREY_PX, GREY_PX), interpolation=cv2.INTER_AREA), np.uint8)
