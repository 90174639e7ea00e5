"""Certify a catalog bundle: open the calibration data once, score every ONNX file on it, and write what may be promised."""

import datetime
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.catalog.certify import promises, sequence
from training.catalog.pack import tune_names
from training.catalog.score import CatalogScored, Reading, score, session_scorer
from training.data import group_fingerprints
from training.issue import opened_arrays, unseen_digest
from training.manifest import Item
from vision.bundle import Bundle, rewrite
from vision.catalog.certificate import CatalogCertificate
from vision.catalog.spec import (
    CalibrationOpening,
    FileReading,
    catalog_spec,
    subset_name,
    subsets,
)
from vision.golden import check_golden
from vision.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogIssued:
    """The bundle as written. `openings` and `shared_groups` as `training.issue.Issued` has them.

    Attributes:
        left_out: items whose picture another item had already: variants of one product share photos, and would count twice.
    """

    bundle: Bundle
    certificates: dict[str, CatalogCertificate]
    openings: int
    shared_groups: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked of a certificate, and of which data it will speak."""

    max_risk: float
    confidence: float
    digest: str
    today: str


def issue_catalog(
    bundle: Bundle,
    items: Sequence[Item],
    *,
    max_risk: float,
    confidence: float,
    advance: Callable[[int], None] = lambda _: None,
) -> CatalogIssued:
    """Certify every ONNX file of a bundle on calibration items and write the bundle again, unsigned.

    Raises:
        ManifestError: a picture was used in training.
        CatalogError: a label or column is unknown to the bundle.
        BundleError: the bundle changed since it was opened, lacks what certifying takes, or answers differently on this machine.
        StorageError: the disk refused; the bundle is as it was.
    """
    spec = catalog_spec(bundle)
    reading = Reading.of_bundle(bundle)
    arrays = opened_arrays(bundle, ["seen", "seen_groups"])
    seen = set(arrays["seen"].tolist())
    once: dict[str, Item] = {}
    for item in items:
        once.setdefault(unseen_digest(item, seen), item)
    rows = sorted(f"{digest}|{item.label}" for digest, item in once.items())
    asked = _Asked(
        max_risk=max_risk,
        confidence=confidence,
        digest=hashlib.sha256("\n".join(rows).encode()).hexdigest(),
        today=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    readings = {}
    for file, known in spec.files.items():
        session = Session(bundle.read(file), name=file)
        check_golden(bundle, file, session)  # what is certified here must be what runs
        scored = score(session_scorer(session), list(once.values()), reading, advance=advance)
        certificate = _certificate(bundle, file, known, scored, asked)
        readings[file] = known.model_copy(update={"certificate": certificate})
    opening = CalibrationOpening(
        data_digest=asked.digest, opened_on=asked.today, max_risk=max_risk, confidence=confidence
    )
    written = spec.model_copy(update={"files": readings, "calibrations": (*spec.calibrations, opening)})
    return CatalogIssued(
        bundle=rewrite(bundle, manifest=written.into(bundle.manifest)),
        certificates={file: one.certificate for file, one in readings.items() if one.certificate},
        openings=sum(one.data_digest == asked.digest for one in written.calibrations),
        shared_groups=len(group_fingerprints(items) & set(arrays["seen_groups"].tolist())),
        left_out=len(items) - len(once),
    )


def _certificate(
    bundle: Bundle, file: str, reading: FileReading, scored: CatalogScored, asked: _Asked
) -> CatalogCertificate:
    levels, modalities = range(len(scored.logits)), scored.reading.modalities
    names = {subset_name(one): one for one in subsets(modalities)}
    arrays = opened_arrays(
        bundle, [one for name in names for level in levels for one in tune_names(file, name, level)]
    )

    def grid(name: str, level: int) -> npt.NDArray[np.float64]:
        sure, right = (arrays[one] for one in tune_names(file, name, level))
        return sequence(sure.astype(np.float64), right, asked.max_risk)

    return CatalogCertificate(
        model_file=file,
        model_sha256=bundle.manifest.files[file].sha256,
        preprocess_sha256=bundle.manifest.preprocess.digest(),
        max_risk=asked.max_risk,
        confidence=asked.confidence,
        temperatures=reading.temperatures,
        promises={
            name: promises(
                scored,
                subset,
                [grid(name, level) for level in levels],
                temperature=reading.temperatures[name],
                max_risk=asked.max_risk,
                confidence=asked.confidence,
            )
            for name, subset in names.items()
        },
        calibration_digest=asked.digest,
        calibration_items=len(scored.items),
        issued_on=asked.today,
    )
