"""A real catalog bundle in milliseconds: the shop of `tests.catalog_network`, complete with golden set, reference and certificate."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.catalog_network import (
    ALL,
    ATTRIBUTE_SPEC,
    CELL,
    CELLS,
    DEPTH,
    KINDS,
    LEVELS,
    PREPROCESS,
    SIDE,
    SIZES,
    TEXT_SPEC,
    THRESHOLDS,
    TREE,
    WORDS,
    onnx_model,
    output_shapes,
    photo,
    prepared,
    stranger,
)
from vision.bundle import (
    GOLDEN,
    REFERENCE,
    Bundle,
    Manifest,
    ModelEntry,
    Provenance,
    pack_arrays,
    write_bundle,
)
from vision.catalog import attributes, framing, projection, text
from vision.catalog.certificate import CatalogCertificate, LevelPromise
from vision.catalog.novelty import Novelty
from vision.catalog.outputs import ATTRIBUTES, EMBEDDING, IMAGE, NO_IMAGE, TEXT
from vision.catalog.spec import TAXONOMY, CatalogSpec, FileReading, subset_name, subsets
from vision.golden import golden_arrays
from vision.image import encode_png
from vision.inspection.quality import limits_from, measure
from vision.session import Session

__all__ = [
    "ALL",
    "ATTRIBUTE_SPEC",
    "CELL",
    "CELLS",
    "DEPTH",
    "KINDS",
    "LEVELS",
    "MODEL",
    "PREPROCESS",
    "SIDE",
    "SIZES",
    "TEXT_SPEC",
    "THRESHOLDS",
    "TREE",
    "WORDS",
    "certificate",
    "make_catalog_bundle",
    "manifest",
    "onnx_model",
    "output_shapes",
    "photo",
    "prepared",
    "spec",
    "stranger",
    "temperatures",
]

MODEL: Final = "model.onnx"


def temperatures(modalities: Sequence[str] = ALL) -> dict[str, float]:
    """By subset of the modalities, no two alike."""
    return {subset_name(one): 1.5 + index / 10 for index, one in enumerate(subsets(modalities))}


def certificate(modalities: tuple[str, ...] = ALL) -> CatalogCertificate:
    """Thresholds for every subset; from attributes alone nothing could be certified but the first level."""
    return CatalogCertificate(
        model_file=MODEL,
        model_sha256=hashlib.sha256(onnx_model(modalities)).hexdigest(),
        preprocess_sha256=PREPROCESS.digest(),
        max_risk=0.05,
        confidence=0.95,
        temperatures=temperatures(modalities),
        promises={
            subset_name(one): tuple(
                LevelPromise(
                    level=level,
                    threshold=None if one == (ATTRIBUTES,) and index else threshold,
                    answered=190,
                    wrong=3,
                    of=200,
                    upper=0.0402,
                )
                for index, (level, threshold) in enumerate(zip(LEVELS, THRESHOLDS, strict=True))
            )
            for one in subsets(modalities)
        },
        calibration_digest="0" * 64,
        calibration_items=200,
        issued_on="2025-01-01",
    )


@cache
def spec(modalities: tuple[str, ...] = ALL, *, certified: bool = True) -> CatalogSpec:
    """The decision part of the manifest."""
    reading = FileReading(
        temperatures=temperatures(modalities),
        novelty_radius=1.5 * float(_novelty().scores(_compact(first=50)).max()),
        certificate=certificate(modalities) if certified else None,
    )
    usual = [prepared(photo(kind)).image_hwc for kind in KINDS]
    return CatalogSpec(
        levels=LEVELS,
        text=TEXT_SPEC if TEXT in modalities else None,
        attributes=ATTRIBUTE_SPEC if ATTRIBUTES in modalities else None,
        quality=limits_from([measure(one) for one in usual]),
        framing=framing.limits_from([framing.measure(one) for one in usual]),
        files={MODEL: reading},
    )


@cache
def manifest(modalities: tuple[str, ...] = ALL, *, certified: bool = True) -> Manifest:
    """What the bundle says of itself; `files` is filled in when it is written."""
    plain = Manifest(
        name="shop",
        version="1.0",
        task="catalog",
        labels=KINDS,
        preprocess=PREPROCESS,
        outputs=output_shapes(modalities),
        models={MODEL: ModelEntry(precision="float32", golden_tolerance=0.01)},
        decision={},
        provenance=Provenance(
            created_at="2025-01-01T00:00:00+00:00",
            data_digest="0" * 64,
            split="split",
            recipe={},
            weights="by hand",
            seed=0,
            code_version="0",
            libraries={},
        ),
    )
    return spec(modalities, certified=certified).into(plain)


def make_catalog_bundle(
    path: Path,
    *,
    modalities: tuple[str, ...] = ALL,
    certified: bool = True,
    contents: Mapping[str, bytes] | None = None,
    **overrides: Any,
) -> Bundle:
    """Write a bundle: a folder, or one file when `path` ends in `.loupe`.

    Args:
        contents: files to add, or to put in the place of those made here.
        overrides: fields of the manifest.
    """
    described = manifest(modalities, certified=certified).model_copy(update=overrides)
    files = {MODEL: onnx_model(modalities), TAXONOMY: TREE.to_json().encode(), **_arrays(modalities)}
    return write_bundle(path, described, {**files, **(contents or {})})


@cache
def _embeddings(first: int) -> npt.NDArray[np.float32]:
    """Of ten photos a kind."""
    pictures = [prepared(photo(kind, first + seed)).image_hwc for kind in KINDS for seed in range(10)]
    return Session(onnx_model((IMAGE,)), threads=1).run(np.stack(pictures), [EMBEDDING])[EMBEDDING]


@cache
def _projection() -> projection.Projection:
    return projection.fit(_embeddings(0), 8)


def _compact(first: int) -> npt.NDArray[np.float32]:
    return _projection().project(_embeddings(first))


@cache
def _novelty() -> Novelty:
    return Novelty(_compact(first=0))


@cache
def _arrays(modalities: tuple[str, ...]) -> dict[str, bytes]:
    titles = ("Court sneakers", "", "羊毛 毛线 袜", "Leather belt 🧵")
    told: tuple[dict[str, str], ...] = (
        {"season": "winter"},
        {"wearer": "men"},
        {},
        {"season": "summer", "wearer": "women"},
    )
    pictures = [photo("sneakers"), photo("tees", 1), photo("wool_socks", 2, cell_xy=(2, 0)), stranger()]
    beside: dict[str, npt.NDArray[Any]] = {
        TEXT: text.batch(titles, TEXT_SPEC),
        ATTRIBUTES: attributes.batch(told, ATTRIBUTE_SPEC),
    }
    beside = {name: ids for name, ids in beside.items() if name in modalities}
    if beside:
        beside[NO_IMAGE] = np.array([0, 0, 0, 1], np.float32)
    golden = golden_arrays(
        # cut so that no two ways to resize them give the same
        [encode_png(np.ascontiguousarray(picture[:-3, :-8])) for picture in pictures],
        PREPROCESS,
        {MODEL: Session(onnx_model(modalities), threads=1)},
        beside=beside,
    )
    return {
        GOLDEN: pack_arrays(golden),
        REFERENCE: pack_arrays(_projection().to_arrays() | _novelty().to_arrays()),
    }
