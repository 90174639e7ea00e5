"""From a frame to a verdict on a real bundle, and what makes an inspector refuse to begin."""

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.bundles import (
    BLUE,
    FLOAT32,
    INT8,
    LABELS,
    PALE,
    POLICY,
    PREPROCESS,
    blank,
    certificate,
    frame,
    golden_pictures,
    inspection,
    make_bundle,
    onnx_model,
    part,
    spotted,
    stranger,
)
from vision.bundle import GOLDEN, REFERENCE, Bundle, pack_arrays
from vision.errors import BundleError, CertificateError, ImageError, SettingsError
from vision.golden import golden_arrays
from vision.image import Pixels
from vision.inspection.inspect import Inspector, OnDrift, open_inspector
from vision.inspection.policy import Decision, Reason, Verdict
from vision.qualify import Choice
from vision.session import Session
from vision.signing import generate, read_private, read_public

ONE_THREAD: Final = Choice(file=FLOAT32, threads=1)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "plates")


def judged(inspector: Inspector, picture: Pixels) -> Verdict:
    return inspector.inspect(inspector.prepare(frame(picture))).verdict


@pytest.mark.parametrize(
    ("picture", "decision", "reason", "label"),
    [
        (part(700), Decision.ACCEPT, Reason.CONFIDENT, "good"),
        (spotted(701), Decision.REJECT, Reason.CONFIDENT, "red"),
        (spotted(702, colour=BLUE, cell_xy=(3, 3)), Decision.REJECT, Reason.CONFIDENT, "blue"),
        (spotted(703, colour=PALE), Decision.REVIEW, Reason.UNCERTAIN, "good"),
        (stranger(), Decision.REVIEW, Reason.NOVEL, "good"),
        (blank(), Decision.REVIEW, Reason.IMAGE_QUALITY, "good"),
    ],
    ids=["good", "red", "blue", "pale", "stranger", "blank"],
)
@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_a_part_gets_the_verdict_it_deserves(
    picture: Pixels, decision: Decision, reason: Reason, label: str, file: str, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "plates.loupe", int8=True)
    verdict = judged(Inspector(bundle, choice=Choice(file=file, threads=1)), picture)
    assert (verdict.decision, verdict.reason, verdict.label) == (decision, reason, label)
    assert verdict.certified
    assert verdict.novelty is not None
    assert (verdict.novelty > 1) == (reason in {Reason.NOVEL, Reason.IMAGE_QUALITY})


def test_probabilities_are_the_softmax_of_logits_over_the_temperature(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD)
    found = inspector.inspect(inspector.prepare(frame(spotted(1, colour=PALE))))
    powers = np.exp(found.prediction.logits.astype(float) / 1.5)
    shares = found.verdict.probabilities
    assert shares is not None
    assert list(shares) == list(LABELS)
    assert list(shares.values()) == pytest.approx((powers / powers.sum()).tolist())
    assert found.verdict.probability == pytest.approx(1 - shares["good"])


def test_without_a_certificate_nothing_is_accepted(tmp_path: Path) -> None:
    inspector = Inspector(make_bundle(tmp_path / "plates", certified=False), choice=ONE_THREAD)
    verdicts = [judged(inspector, picture) for picture in (part(), spotted(), stranger())]
    assert {verdict.decision for verdict in verdicts} == {Decision.REVIEW}
    assert not any(verdict.certified for verdict in verdicts)


def test_a_batch_is_predicted_like_each_of_its_pictures(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD)
    prepared = [inspector.prepare(frame(one)) for one in (part(), spotted(), stranger())]
    for together, one in zip(inspector.predict(prepared), prepared, strict=True):
        (alone,) = inspector.predict([one])
        assert together.logits == pytest.approx(alone.logits, abs=1e-5)
        assert together.embedding == pytest.approx(alone.embedding, abs=1e-6)


def test_each_stage_is_timed(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD)
    timings = inspector.inspect(inspector.prepare(frame(part())), prepare_ms=12.5).timings
    assert timings.prepare_ms == 12.5
    assert timings.model_ms > 0
    assert timings.decide_ms > 0


def test_a_frame_that_does_not_hold_the_region_of_interest_is_an_image_error(tmp_path: Path) -> None:
    spec = PREPROCESS.model_copy(update={"roi_xyxy": (0, 0, 110, 110)})
    golden = golden_arrays(golden_pictures(), spec, {FLOAT32: Session(onnx_model())})
    contents = {GOLDEN: pack_arrays(golden)}
    bundle = make_bundle(tmp_path / "plates", certified=False, preprocess=spec, contents=contents)
    inspector = Inspector(bundle, choice=ONE_THREAD)
    assert judged(inspector, part()).decision is Decision.REVIEW
    with pytest.raises(ImageError, match=r"expected a picture that holds the region \(0, 0, 110, 110\)"):
        inspector.prepare(frame(part()[:64]))


def stuck(inspector: Inspector, *, parts: int) -> list[Verdict]:
    """What is said of one and the same good part, again and again, as from a camera that hangs."""
    prepared = inspector.prepare(frame(part(800)))
    return [inspector.inspect(prepared).verdict for _ in range(parts)]


@pytest.mark.parametrize(
    ("on_drift", "decision"),
    [("review_all", Decision.REVIEW), ("continue_uncertified", Decision.ACCEPT)],
)
def test_a_drift_alarm_voids_the_certificate(on_drift: OnDrift, decision: Decision, bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD, drift_alpha=0.01, on_drift=on_drift)
    verdicts = stuck(inspector, parts=60)
    assert (verdicts[0].decision, verdicts[0].certified) == (Decision.ACCEPT, True)
    assert (verdicts[-1].decision, verdicts[-1].certified) == (decision, False)
    assert [verdict.certified for verdict in verdicts] == sorted(
        (verdict.certified for verdict in verdicts), reverse=True
    )
    assert judged(inspector, spotted()).decision is Decision.REJECT, "what is defective stays so"


def test_usual_parts_raise_no_alarm(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD, drift_alpha=0.01)
    verdicts = [judged(inspector, part(seed)) for seed in range(1000, 1200)]
    assert all(verdict.certified for verdict in verdicts)


def test_nobody_watches_for_drift_unless_asked(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD)
    assert all(verdict.certified for verdict in stuck(inspector, parts=60))
    assert inspector.drift is None


def test_pictures_that_cannot_be_judged_are_no_parts_to_the_drift_test(bundle: Bundle) -> None:
    inspector = Inspector(bundle, choice=ONE_THREAD, drift_alpha=0.01)
    for _ in range(60):
        judged(inspector, blank())
    assert inspector.drift is not None
    assert inspector.drift.parts == 0


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_a_senseless_alarm_probability_is_refused(alpha: float, bundle: Bundle) -> None:
    with pytest.raises(SettingsError, match="drift alpha"):
        Inspector(bundle, choice=ONE_THREAD, drift_alpha=alpha)


def decision_with(**changes: Any) -> dict[str, Any]:
    """The decision part of the manifest, with another decision for the model file."""
    spec = inspection()
    file = spec.files[FLOAT32].model_copy(update=changes)
    return spec.model_copy(update={"files": {FLOAT32: file}}).model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"decision": decision_with(certificate=certificate(INT8))}, "model file"),
        ({"decision": decision_with(temperature=1.4)}, "temperature"),
        (
            {"decision": decision_with(policy=POLICY.model_copy(update={"accept_at": 0.2}))},
            "accept threshold",
        ),
        ({"preprocess": PREPROCESS.model_copy(update={"colour": "grey"})}, "preprocessing"),
    ],
    ids=["model", "temperature", "threshold", "preprocessing"],
)
def test_a_certificate_of_something_else_is_refused_at_opening(
    changes: dict[str, Any], what: str, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "plates", **changes)
    with pytest.raises(CertificateError, match=f"{what}: expected"):
        open_inspector(bundle.path, choice=ONE_THREAD)


def test_a_model_that_was_exchanged_is_refused_even_with_its_own_digest(tmp_path: Path) -> None:
    exchanged = {FLOAT32: onnx_model(head_scale=0.5)}
    with pytest.raises(CertificateError, match="model file"):
        open_inspector(make_bundle(tmp_path / "certified", contents=exchanged).path, choice=ONE_THREAD)
    uncertified = make_bundle(tmp_path / "uncertified", contents=exchanged, certified=False)
    with pytest.raises(BundleError, match="expected golden logits"):
        open_inspector(uncertified.path, choice=ONE_THREAD)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({REFERENCE: pack_arrays({"other": np.zeros((3, 5))})}, "expected an array 'embeddings', found none"),
        ({REFERENCE: pack_arrays({"embeddings": np.zeros((0, 5))})}, r"expected shape \(M, D\)"),
        ({REFERENCE: pack_arrays({"embeddings": np.ones((3, 4))})}, r"embedding \(1, 4\)"),
    ],
    ids=["missing", "empty", "other length"],
)
def test_a_reference_that_does_not_fit_the_model_is_refused(
    contents: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "plates", contents=contents)
    with pytest.raises(BundleError, match=message):
        Inspector(bundle, choice=ONE_THREAD)


def test_a_model_with_fewer_logits_than_labels_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plates", labels=(*LABELS, "green"))
    with pytest.raises(BundleError, match=r"expected logits \(1, 4\)"):
        Inspector(bundle, choice=ONE_THREAD)


def test_an_inspector_opens_a_signed_bundle_with_a_trusted_key(tmp_path: Path) -> None:
    generate(tmp_path / "line.key", tmp_path / "line.pub")
    trusted = [read_public(tmp_path / "line.pub")]
    signed = make_bundle(tmp_path / "signed.loupe", key=read_private(tmp_path / "line.key"))
    inspector = open_inspector(signed.path, trusted=trusted, require_signature=True)
    assert judged(inspector, part()).decision is Decision.ACCEPT
    unsigned = make_bundle(tmp_path / "unsigned.loupe")
    with pytest.raises(BundleError, match="expected a signature"):
        open_inspector(unsigned.path, trusted=trusted, require_signature=True)


def test_by_default_the_file_that_was_qualified_runs(bundle: Bundle) -> None:
    assert open_inspector(bundle.path).choice.file == FLOAT32


@pytest.mark.parametrize("file", ["absent.onnx", REFERENCE])
def test_a_file_that_is_no_model_of_the_bundle_is_refused(file: str, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=file):
        open_inspector(bundle.path, choice=Choice(file=file, threads=1))
