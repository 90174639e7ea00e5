"""Certify a bundle: open the calibration data once, score every ONNX file on it, and write what may be promised.

Takes an opened bundle and calibration items, gives the bundle written again with each file's temperature, thresholds and
certificate. What the statistics are is `training.certify`; here they meet the files.
"""

import datetime
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.certify import Calibration, Certification, certify, fit_temperature
from training.data import file_digest, fingerprint, group_fingerprints
from training.manifest import Item, check_labels
from training.score import Scored, score
from vision.bundle import REFERENCE, Bundle, rewrite
from vision.errors import BundleError, ManifestError
from vision.golden import check_golden
from vision.inspection.certificate import Certificate
from vision.inspection.drift import drift_reference
from vision.inspection.novelty import reference
from vision.inspection.policy import Costs
from vision.inspection.prediction import defect_probability
from vision.inspection.spec import CalibrationRecord, FileDecision, inspection_spec
from vision.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is asked of a certificate."""

    max_escape: float
    confidence: float
    costs: Costs
    assume_independent_parts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """The bundle as written, and what came of each file.

    Attributes:
        openings: how often these calibration data were opened for this model.
        shared_groups: how many calibration groups have the name of a group that the model learned from.
    """

    bundle: Bundle
    certifications: Mapping[str, Certification]
    certificates: Mapping[str, Certificate]
    openings: int
    shared_groups: int


def issue(
    bundle: Bundle,
    items: Sequence[Item],
    terms: Terms,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Issued:
    """Certify every ONNX file of a bundle on calibration items and write the bundle again, unsigned.

    Raises:
        ManifestError: a label is unknown to the bundle, or a picture was used in training.
        BundleError: the bundle changed since it was opened, lacks what certifying takes, or answers differently on this machine.
        StorageError: the disk refused; the bundle is as it was.
    """
    spec = inspection_spec(bundle)
    opened = _open(bundle, items, spec.good)
    decisions, certifications = {}, {}
    for file in bundle.manifest.models:
        session = Session(bundle.read(file), name=file)
        check_golden(bundle, file, session)  # what is certified here must be what runs at the line
        scored = score(session.run, items, bundle.manifest.preprocess, advance=advance)
        good = bundle.manifest.labels.index(spec.good)
        certification, decision = _certify_file(opened, file, scored, spec.files[file], terms, good)
        certifications[file] = certification
        decisions[file] = _with_certificate(bundle, opened, file, scored, decision, certification, terms)
    record = CalibrationRecord(
        data_digest=opened.digest,
        opened_on=opened.today,
        max_escape=terms.max_escape,
        confidence=terms.confidence,
        certified=tuple(file for file, one in certifications.items() if one.certified),
    )
    calibrations = (*spec.calibrations, record)
    written = spec.model_copy(update={"files": decisions, "calibrations": calibrations})
    return Issued(
        bundle=rewrite(bundle, manifest=written.into(bundle.manifest)),
        certifications=certifications,
        certificates={file: one.certificate for file, one in decisions.items() if one.certificate},
        openings=sum(one.data_digest == opened.digest for one in calibrations),
        shared_groups=len(group_fingerprints(items) & set(opened.arrays["seen_groups"].tolist())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """Calibration data once opened: what is the same for every file of the bundle."""

    arrays: Mapping[str, npt.NDArray[Any]]
    defective: npt.NDArray[np.bool_]
    digest: str
    today: str


def _open(bundle: Bundle, items: Sequence[Item], good: str) -> _Opened:
    """Check everything that can be checked before a picture is scored."""
    arrays = _reference_arrays(bundle)
    check_labels(items, bundle.manifest.labels)
    digests = new_pictures(items, set(arrays["seen"].tolist()))
    rows = sorted(f"{digest}|{item.label}" for digest, item in zip(digests, items, strict=True))
    return _Opened(
        arrays=arrays,
        defective=np.array([item.label != good for item in items]),
        digest=hashlib.sha256("\n".join(rows).encode()).hexdigest(),
        today=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _reference_arrays(bundle: Bundle) -> Mapping[str, npt.NDArray[Any]]:
    """What the export left for this."""
    each = ("tune_logits", "tune_distances")
    further = [f"{one}_{file}" for one in each for file in bundle.manifest.models]
    return opened_arrays(bundle, ["seen", "seen_groups", "embeddings", "tune_classes", *further])


def opened_arrays(bundle: Bundle, wanted: Iterable[str]) -> Mapping[str, npt.NDArray[Any]]:
    """A bundle's reference, with the arrays that certifying takes.

    Raises:
        BundleError: one is missing.
    """
    arrays = bundle.arrays(REFERENCE)
    missing = set(wanted) - set(arrays)
    if missing:
        raise BundleError(f"{bundle.path}: {REFERENCE}: expected an array '{min(missing)}', found none")
    return arrays


def learned_from(bundle: Bundle, digests: Iterable[str]) -> list[bool]:
    """Of pictures, by the SHA-256 of their files, whether the bundle's model was trained or tuned on them.

    Raises:
        BundleError: it does not say.
    """
    seen = set(opened_arrays(bundle, ["seen"])["seen"].tolist())
    return [fingerprint(digest) in seen for digest in digests]


def new_pictures(items: Sequence[Item], seen: set[int]) -> list[str]:
    """Their digests; each must be new to the model and counts once, or the certificate is worth nothing."""
    found: dict[str, Path] = {}
    for item in items:
        digest = unseen_digest(item, seen)
        if digest in found:
            raise ManifestError(
                f"{item.path}: expected each calibration picture once, found {found[digest]} again"
            )
        found[digest] = item.path
    return list(found)


def unseen_digest(item: Item, seen: set[int]) -> str:
    """A calibration picture's digest.

    Raises:
        ManifestError: the model was trained or tuned on it.
    """
    digest = file_digest(item.path)
    if fingerprint(digest) in seen:
        raise ManifestError(
            f"{item.path}: expected calibration pictures that the model was not trained or tuned on, found one that it was"
        )
    return digest


def _certify_file(
    opened: _Opened, file: str, scored: Scored, decision: FileDecision, terms: Terms, good: int
) -> tuple[Certification, FileDecision]:
    """The file's certification, and its decision with temperature and thresholds but no certificate yet."""
    temperature = fit_temperature(opened.arrays[f"tune_logits_{file}"], opened.arrays["tune_classes"])
    calibration = Calibration(
        probability=defect_probability(scored.logits, temperature, good),
        defective=opened.defective,
        groups=tuple(scored.groups),
    )
    certification = certify(
        calibration,
        terms.costs,
        max_escape=terms.max_escape,
        confidence=terms.confidence,
        assume_independent_parts=terms.assume_independent_parts,
    )
    update = {"temperature": temperature, "policy": certification.policy, "certificate": None}
    return certification, decision.model_copy(update=update)


def _with_certificate(
    bundle: Bundle,
    opened: _Opened,
    file: str,
    scored: Scored,
    decision: FileDecision,
    certification: Certification,
    terms: Terms,
) -> FileDecision:
    if not certification.certified or decision.policy.accept_at is None:
        return decision
    distances = reference(opened.arrays["embeddings"]).distances(scored.embeddings)
    typical = typical_mix((~opened.defective).tolist(), distances, terms.costs)
    certificate = Certificate(
        model_file=file,
        model_sha256=bundle.manifest.files[file].sha256,
        preprocess_sha256=bundle.manifest.preprocess.digest(),
        temperature=decision.temperature,
        accept_at=decision.policy.accept_at,
        max_escape=terms.max_escape,
        confidence=terms.confidence,
        binding=certification.binding,
        bounds=certification.bounds,
        calibration_digest=opened.digest,
        calibration_parts=len(scored.items),
        issued_on=opened.today,
        drift=drift_reference(opened.arrays[f"tune_distances_{file}"], typical),
    )
    return decision.model_copy(update={"certificate": certificate})


def typical_mix(
    good: Sequence[bool], distances: np.ndarray[tuple[int], np.dtype[np.float32]], costs: Costs
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Distances of the good calibration parts with as many defective ones as the line is expected to send.

    Calibration data hold far more defective parts than a line does; watching the line against them as they are would call
    the usual mix a drift. The defective ones are taken evenly over their ordered distances.
    """
    flags = np.asarray(good)
    wanted = round(costs.defect_rate / (1 - costs.defect_rate) * int(flags.sum()))
    defective = np.sort(distances[~flags])
    taken = min(wanted, len(defective))
    even = ((np.arange(taken) + 0.5) / max(taken, 1) * len(defective)).astype(int)
    return np.concatenate([distances[flags], defective[even]])
