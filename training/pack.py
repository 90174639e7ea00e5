"""Models and what was learned beside them to a bundle on disk, uncertified.

Takes a finished run, its ONNX files and what they said of the tune part. Knows nothing of how the files were made.
"""

import datetime
import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.certify import fit_temperature
from training.data import classes_of, file_digest, fingerprint, group_fingerprints
from training.evaluate import evaluate, judged
from training.manifest import Item
from training.run import BaseRun, Run
from training.score import Scored, score
from vision.bundle import (
    GOLDEN,
    REFERENCE,
    Bundle,
    Guard,
    Manifest,
    ModelEntry,
    Provenance,
    pack_arrays,
    write_bundle,
)
from vision.golden import golden_arrays
from vision.image import Pixels, encode_jpeg, encode_png, load
from vision.inspection.novelty import choose_reference, radius, reference
from vision.inspection.quality import limits_from
from vision.inspection.spec import FileDecision, InspectionSpec
from vision.preprocess import PreprocessSpec, prepare_file
from vision.session import Session

FLOAT32: Final = "model.onnx"
INT8: Final = "model.int8.onnx"
GOLDEN_PICTURES: Final = 4
GOLDEN_TOLERANCE: Final = {"float32": 0.05, "int8": 0.5}  # other processors round int8 sums elsewhere
NOVELTY_FALSE_ALARM: Final = 0.01


def pack(
    run: Run,
    out: Path,
    files: dict[str, bytes],
    sessions: dict[str, Session],
    scored: dict[str, Scored],
    *,
    guard: Guard | None,
    name: str,
    version: str,
) -> Bundle:
    """Write the bundle: models, golden set, reference and manifest.

    Raises:
        StorageError: the disk refused; nothing half-written is left.
    """
    train, spec = run.role("train"), run.recipe.preprocess
    known = score(
        sessions[FLOAT32].run,
        [train[int(one)] for one in choose_reference(classes_of(train, run.labels), seed=run.seed)],
        spec,
    )
    reference_arrays: dict[str, Any] = {
        "embeddings": known.embeddings.astype(np.float16),
        **seen_arrays([*train, *run.role("tune")]),
        "tune_classes": scored[FLOAT32].classes(run.labels),
    }
    near, decisions = reference(reference_arrays["embeddings"]), {}
    for file, one in scored.items():
        distances = near.distances(one.embeddings)
        reference_arrays |= {f"tune_logits_{file}": one.logits, f"tune_distances_{file}": distances}
        decisions[file] = FileDecision(
            temperature=fit_temperature(one.logits, reference_arrays["tune_classes"]),
            novelty_radius=round(radius(distances, false_alarm=NOVELTY_FALSE_ALARM), 6),
        )
    spec_of_decision = InspectionSpec(
        good=run.good, quality=limits_from([*known.qualities, *scored[FLOAT32].qualities]), files=decisions
    )
    golden = golden_pictures(run.role("tune"), spec)
    contents = {
        **files,
        GOLDEN: pack_arrays(golden_arrays(golden, spec, sessions)),
        REFERENCE: pack_arrays(reference_arrays),
    }
    manifest = _manifest(run, files, scored[FLOAT32], guard, name=name, version=version)
    return write_bundle(out, spec_of_decision.into(manifest), contents)


def seen_arrays(items: Sequence[Item]) -> dict[str, npt.NDArray[np.uint64]]:
    """By what a bundle knows again what it learned from: pictures, and names of groups."""
    return {
        "seen": np.array([fingerprint(file_digest(item.path)) for item in items], np.uint64),
        "seen_groups": np.array(sorted(group_fingerprints(items)), np.uint64),
    }


def golden_pictures(items: Sequence[Item], spec: PreprocessSpec) -> list[bytes]:
    """A few tune pictures losslessly, and the last as a JPEG large enough for reduced decoding.

    They are small where no region of interest needs their full size, and of no whole multiple of the input: resizing must show.
    """
    step = max(1, len(items) // GOLDEN_PICTURES)
    *lossless, lossy = items[::step][:GOLDEN_PICTURES]
    return [
        *(encode_png(_pixels(item, spec, 1.76)) for item in lossless),
        encode_jpeg(_pixels(lossy, spec, 2.53)),
    ]


def _pixels(item: Item, spec: PreprocessSpec, times: float) -> Pixels:
    if spec.roi_xyxy is not None:
        return load(item.path).image_hwc
    larger = (round(spec.size_wh[0] * times), round(spec.size_wh[1] * times))
    return prepare_file(item.path, spec.resized(larger)).image_hwc


def _metrics(run: Run, scored: Scored) -> dict[str, Any]:
    """The float32 file's figures on the tune part, with their intervals: what was known when it was packed."""
    figures = evaluate(judged(scored, run.labels, run.good), slice_by=[])
    return {
        "tune_pictures": figures.n,
        "tune_accuracy": asdict(figures.accuracy),
        "tune_balanced_accuracy": figures.balanced_accuracy,
        "tune_auroc": figures.auroc,
        "tune_auroc_interval": list(figures.auroc_interval) if figures.auroc_interval else None,
    }


def _manifest(
    run: Run, files: dict[str, bytes], scored: Scored, guard: Guard | None, *, name: str, version: str
) -> Manifest:
    prediction = scored.predictions[0]
    return Manifest(
        name=name,
        version=version,
        task="inspection",
        labels=run.labels,
        preprocess=run.recipe.preprocess,
        outputs={
            "logits": ("N", *prediction.logits.shape),
            "embedding": ("N", *prediction.embedding.shape),
            "cam": ("N", *prediction.cam.shape),
        },
        models=model_entries(files, guard),
        decision={},
        metrics=_metrics(run, scored),
        provenance=provenance(run),
    )


def model_entries(files: Iterable[str], guard: Guard | None) -> dict[str, ModelEntry]:
    """What the manifest says of each ONNX file."""
    return {
        file: ModelEntry(
            precision="int8" if file == INT8 else "float32",
            golden_tolerance=GOLDEN_TOLERANCE["int8" if file == INT8 else "float32"],
            guard=guard if file == INT8 else None,
        )
        for file in files
    }


def provenance(run: BaseRun) -> Provenance:
    """Where a run's model comes from, with the libraries that made it."""
    return Provenance(
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        data_digest=run.data_digest,
        split=run.split_column,
        recipe=run.recipe.model_dump(mode="json"),
        weights=Path(run.weights).name,
        seed=run.seed,
        code_version=importlib.metadata.version("loupe"),
        libraries={
            one: importlib.metadata.version(one) for one in ("torch", "torchvision", "onnx", "onnxruntime")
        },
    )
