"""A catalog model and what was learned beside it to a bundle on disk, uncertified."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.catalog.certify import fit_temperature
from training.catalog.figures import evaluate, right_at
from training.catalog.run import CatalogRun
from training.catalog.score import CatalogScored, told
from training.data import classes_of
from training.pack import golden_pictures, model_entries, provenance, seen_arrays
from vision.bundle import GOLDEN, REFERENCE, Bundle, Guard, Manifest, pack_arrays, write_bundle
from vision.catalog import framing, projection
from vision.catalog.novelty import MAX_REFERENCE, Novelty
from vision.catalog.spec import TAXONOMY, CatalogSpec, FileReading, subset_name, subsets
from vision.golden import golden_arrays
from vision.inspection.novelty import choose_reference, radius
from vision.inspection.quality import limits_from
from vision.session import Outputs, Session

NOVELTY_FALSE_ALARM: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Made:
    """One ONNX file, loaded, and the tune part as it sees it."""

    data: bytes
    session: Session
    tuned: CatalogScored


def pack(
    run: CatalogRun,
    out: Path,
    made: Mapping[str, Made],
    *,
    known: CatalogScored,
    guard: Guard | None,
    name: str,
    version: str,
) -> Bundle:
    """Write the bundle: models, tree, golden set, reference and manifest.

    Args:
        made: the ONNX files by name, float32 first.
        known: the train part as a file sees it.

    Raises:
        StorageError: the disk refused; nothing half-written is left.
    """
    compact = projection.fit(known.embeddings, min(projection.DIMENSION, *known.embeddings.shape))
    novelty = Novelty(compact.project(known.embeddings[_reference_rows(known, run.seed)]))
    readings = {file: _reading(one.tuned, compact, novelty) for file, one in made.items()}
    first = next(iter(made.values()))
    reference = {
        **compact.to_arrays(),
        **novelty.to_arrays(),
        **seen_arrays([*run.role("train"), *run.role("tune")]),
    }
    for file, one in made.items():
        reference |= _tune_arrays(file, one.tuned, readings[file])
    manifest = Manifest(
        name=name,
        version=version,
        task="catalog",
        labels=run.labels,
        preprocess=run.recipe.preprocess,
        outputs=_shapes(first.session.run(_blank(run))),
        models=model_entries(made, guard),
        decision={},
        metrics=_metrics(first.tuned, readings),
        provenance=provenance(run),
    )
    contents = {
        **{file: one.data for file, one in made.items()},
        TAXONOMY: run.taxonomy.to_json().encode(),
        GOLDEN: pack_arrays(_golden(run, made)),
        REFERENCE: pack_arrays(reference),
    }
    return write_bundle(out, _spec(run, known, first.tuned, readings).into(manifest), contents)


def _spec(
    run: CatalogRun, known: CatalogScored, tuned: CatalogScored, readings: dict[str, FileReading]
) -> CatalogSpec:
    return CatalogSpec(
        levels=run.taxonomy.levels,
        text=run.title.spec if run.title else None,
        title_column=run.title.column if run.title else None,
        attributes=run.attributes,
        quality=limits_from([*known.qualities, *tuned.qualities]),
        framing=framing.limits_from([*known.framings, *tuned.framings]),
        files=readings,
    )


def _golden(run: CatalogRun, made: Mapping[str, Made]) -> dict[str, Any]:
    """Pictures of the tune part with the titles and attributes of some of its items, not necessarily the same ones."""
    pictures, tuned = (
        golden_pictures(run.role("tune"), run.recipe.preprocess),
        next(iter(made.values())).tuned,
    )
    sessions = {file: one.session for file, one in made.items()}
    beside = told(tuned.items[: len(pictures)], tuned.reading)
    return golden_arrays(pictures, run.recipe.preprocess, sessions, beside=beside)


def _reference_rows(known: CatalogScored, seed: int) -> npt.NDArray[np.int64]:
    labels = sorted({item.label for item in known.items})
    return choose_reference(classes_of(known.items, labels), seed=seed, most=MAX_REFERENCE)


def _reading(scored: CatalogScored, compact: projection.Projection, novelty: Novelty) -> FileReading:
    distances = novelty.scores(compact.project(scored.embeddings))
    return FileReading(
        temperatures={
            subset_name(one): fit_temperature(scored, one) for one in subsets(scored.reading.modalities)
        },
        novelty_radius=round(radius(distances, false_alarm=NOVELTY_FALSE_ALARM), 6),
    )


def tune_names(file: str, subset: str, level: int) -> tuple[str, str]:
    """Of the arrays in `reference.npz` with the tune part's probabilities, and whether they were right."""
    return f"tune_sure_{file}_{subset}_{level}", f"tune_right_{file}_{subset}_{level}"


def _tune_arrays(file: str, scored: CatalogScored, reading: FileReading) -> dict[str, Any]:
    """From which `training.catalog.issue` fixes what it will test, before any calibration data are seen."""
    arrays: dict[str, Any] = {}
    for subset in subsets(scored.reading.modalities):
        name = subset_name(subset)
        by_level = scored.by_level(subset, reading.temperatures[name])
        for level, probabilities in enumerate(by_level):
            sure, right = tune_names(file, name, level)
            arrays[sure] = probabilities.max(1).astype(np.float32)
            arrays[right] = right_at(scored, by_level, level)
    return arrays


def _blank(run: CatalogRun) -> npt.NDArray[np.uint8]:
    width, height = run.recipe.preprocess.size_wh
    return np.zeros((1, height, width, 3), np.uint8)


def _shapes(outputs: Outputs) -> dict[str, tuple[str | int, ...]]:
    return {name: ("N", *values.shape[1:]) for name, values in outputs.items()}


def _metrics(scored: CatalogScored, readings: Mapping[str, FileReading]) -> dict[str, Any]:
    """The float32 file's figures on the tune part, with their intervals: what was known when it was packed."""
    figures = evaluate(scored, temperatures=next(iter(readings.values())).temperatures, slice_by=[])
    return {"tune_items": figures.n} | {
        f"tune_accuracy_{subset}_{level}": one.accuracy.to_json()
        for subset, by_level in figures.subsets.items()
        for level, one in by_level.levels.items()
    }
