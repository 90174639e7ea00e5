"""Frame in, verdict out: preprocessing, model, quality, novelty, drift and policy in their order.

`Inspector` is built once a bundle and used for every part. It keeps no state between parts but the drift test, and
that only where asked to watch. Opening one verifies the bundle, its golden set and its certificate.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vision.bundle import REFERENCE, Bundle, open_bundle
from vision.errors import BundleError
from vision.golden import check_golden
from vision.image import Frame
from vision.inspection import drift as drift_test
from vision.inspection import novelty, quality
from vision.inspection.policy import Verdict, decide
from vision.inspection.prediction import Prediction, probabilities, split_batch
from vision.inspection.spec import FileDecision, inspection_spec
from vision.preprocess import Prepared, prepare
from vision.qualify import Choice, choose
from vision.session import Session

OnDrift = Literal["review_all", "continue_uncertified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds from a monotonic clock."""

    prepare_ms: float
    model_ms: float
    decide_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A verdict with all that it came from."""

    verdict: Verdict
    prepared: Prepared
    prediction: Prediction
    quality: quality.Quality
    timings: Timings


class Inspector:
    """Judges parts by one ONNX file of a bundle.

    Args:
        bundle: opened and verified.
        choice: which file, on how many threads; as qualified for this machine by default.
        drift_alpha: bound on the probability that the drift test ever alarms falsely; absent: do not watch.
        on_drift: what an alarm does to what would be accepted.

    Raises:
        BundleError: not an inspection bundle, or its golden set does not come out the same here.
        CertificateError: the certificate speaks of another model.
        SettingsError: drift_alpha is not between 0 and 1.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        choice: Choice | None = None,
        drift_alpha: float | None = None,
        on_drift: OnDrift = "review_all",
    ) -> None:
        self.bundle, self.spec = bundle, inspection_spec(bundle)
        self.choice = choice or choose(bundle)
        self.session = Session(
            bundle.read(self.choice.file), name=self.choice.file, threads=self.choice.threads
        )
        check_golden(bundle, self.choice.file, self.session)
        self.reference = _reference(bundle)
        _check_outputs(bundle, self.session, self.reference)
        self.labels = bundle.manifest.labels
        self.good = self.labels.index(self.spec.good)
        self.on_drift = on_drift
        certificate = self.decision.certificate
        self.drift = (
            drift_test.watch(certificate.drift, alpha=drift_alpha)
            if certificate is not None and drift_alpha is not None
            else None
        )

    @property
    def decision(self) -> FileDecision:
        """How this file's answers are read."""
        return self.spec.files[self.choice.file]

    def prepare(self, frame: Frame) -> Prepared:
        """The model's input.

        Raises:
            ImageError: the frame does not hold the region of interest.
        """
        return prepare(frame, self.bundle.manifest.preprocess)

    def predict(self, prepared: Sequence[Prepared]) -> list[Prediction]:
        """One pass over a batch."""
        return predict(self.session, prepared)

    def inspect(self, prepared: Prepared, *, prepare_ms: float = 0.0) -> Inspection:
        """Judge one prepared picture, and let the drift test see it."""
        begun = time.perf_counter()
        measured = quality.measure(prepared.image_hwc)  # first, while the picture is in the processor's cache
        measured_at = time.perf_counter()
        prediction = self.predict([prepared])[0]
        answered = time.perf_counter()
        verdict = self.judge(prediction, measured)
        timings = Timings(
            prepare_ms=prepare_ms,
            model_ms=1e3 * (answered - measured_at),
            decide_ms=1e3 * (time.perf_counter() - answered + measured_at - begun),
        )
        return Inspection(
            verdict=verdict, prepared=prepared, prediction=prediction, quality=measured, timings=timings
        )

    def judge(
        self, prediction: Prediction, measured: quality.Quality | None, *, watch: bool = True
    ) -> Verdict:
        """The verdict on a prediction. Without `watch` the drift test does not count it as a part."""
        decision = self.decision
        distance = float(self.reference.distances(prediction.embedding[None])[0])
        fault = self.spec.quality.fault(measured) if measured is not None else None
        if self.drift is not None and watch and fault is None:
            self.drift = self.drift.update(distance)
        drifted = self.drift is not None and self.drift.alarm
        shares = probabilities(prediction.logits, decision.temperature)
        probability = float(1 - shares[self.good])
        chosen, reason, detail = decide(
            decision.policy,
            probability,
            quality_fault=fault,
            novelty=distance / decision.novelty_radius,
            void=drifted and self.on_drift == "review_all",
        )
        return Verdict(
            decision=chosen,
            reason=reason,
            detail=detail,
            probability=probability,
            label=self.labels[int(shares.argmax())],
            probabilities=dict(zip(self.labels, shares.tolist(), strict=True)),
            novelty=distance / decision.novelty_radius,
            certified=decision.certificate is not None and not drifted,
        )


def predict(session: Session, prepared: Sequence[Prepared]) -> list[Prediction]:
    """One pass of a session over a batch."""
    return split_batch(session.run(np.stack([one.image_hwc for one in prepared])))


def _reference(bundle: Bundle) -> novelty.Reference:
    arrays = bundle.arrays(REFERENCE)
    if "embeddings" not in arrays:
        raise BundleError(f"{bundle.path}: {REFERENCE}: expected an array 'embeddings', found none")
    return novelty.reference(arrays["embeddings"])


def _check_outputs(bundle: Bundle, session: Session, reference: novelty.Reference) -> None:
    """One blank picture through the model: its answer must have the parts and sizes that judging relies on."""
    width, height = bundle.manifest.preprocess.size_wh
    found = {
        name: value.shape for name, value in session.run(np.zeros((1, height, width, 3), np.uint8)).items()
    }
    classes = len(bundle.manifest.labels)
    fits = (
        found.get("logits") == (1, classes)
        and found.get("embedding") == (1, reference.embeddings.shape[1])
        and len(found.get("cam", ())) == 4
        and found["cam"][:2] == (1, classes)
    )
    if not fits:
        raise BundleError(
            f"{bundle.path}: {session.name}: expected logits (1, {classes}), embedding "
            f"(1, {reference.embeddings.shape[1]}) and cam (1, {classes}, h, w), found {found}"
        )


def open_inspector(
    path: Path,
    *,
    trusted: Iterable[Ed25519PublicKey] = (),
    require_signature: bool = False,
    choice: Choice | None = None,
    drift_alpha: float | None = None,
    on_drift: OnDrift = "review_all",
) -> Inspector:
    """Open and verify a bundle, load its model as qualified for this machine, and warm it up.

    Raises:
        BundleError: as `vision.bundle.open_bundle` and `Inspector`.
    """
    bundle = open_bundle(path, trusted=trusted, require_signature=require_signature)
    inspector = Inspector(bundle, choice=choice, drift_alpha=drift_alpha, on_drift=on_drift)
    inspector.session.warm_up(bundle.manifest.preprocess.size_wh)
    return inspector
