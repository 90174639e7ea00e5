"""From an exported bundle and calibration parts to certificates that hold for these files and no others."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bundles import FLOAT32, INT8, TEMPERATURE, frame, onnx_model, part, spotted
from tests.pictures import small_disk
from tests.training.certifiable import certifiable_bundle, parts
from training.issue import Terms, issue, typical_mix
from training.manifest import Item
from vision.bundle import MANIFEST, SIGNATURE, Bundle, open_bundle, rewrite
from vision.errors import BundleError, CertificateError, ManifestError, StorageError
from vision.inspection.inspect import Inspector
from vision.inspection.policy import Costs, Decision
from vision.inspection.spec import inspection_spec
from vision.qualify import Choice

TERMS = Terms(max_escape=0.05, confidence=0.95, costs=Costs())


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """60 defective and 40 good parts, each standing alone."""
    return parts(tmp_path_factory.mktemp("calibration"))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return certifiable_bundle(tmp_path / "bundle")


def test_every_model_file_gets_a_certificate_of_its_own(tmp_path: Path, items: list[Item]) -> None:
    bundle = certifiable_bundle(tmp_path / "bundle", int8=True)
    issued = issue(bundle, items, TERMS)
    assert set(issued.certificates) == {FLOAT32, INT8}
    for file, certificate in issued.certificates.items():
        decision = inspection_spec(issued.bundle).files[file]
        assert certificate == decision.certificate
        assert certificate.model_file == file
        assert certificate.model_sha256 == bundle.manifest.files[file].sha256
        assert certificate.preprocess_sha256 == bundle.manifest.preprocess.digest()
        assert certificate.temperature == decision.temperature == pytest.approx(TEMPERATURE, rel=0.05)
        assert certificate.accept_at == decision.policy.accept_at
        assert (certificate.max_escape, certificate.confidence) == (0.05, 0.95)
        assert (certificate.binding, certificate.calibration_parts) == ("parts exchangeable", 100)
        assert [(bound.units, bound.failures, bound.upper) for bound in certificate.bounds] == [
            (60, 0, 0.048703)
        ]
    assert issued.certificates[FLOAT32].model_sha256 != issued.certificates[INT8].model_sha256


@pytest.mark.parametrize("form", ["bundle", "parts-1.0.loupe"])
def test_the_certificate_is_there_when_the_bundle_is_opened_again(
    tmp_path: Path, items: list[Item], form: str
) -> None:
    issued = issue(certifiable_bundle(tmp_path / form), items, TERMS)
    opened = open_bundle(tmp_path / form)
    assert opened.manifest == issued.bundle.manifest
    assert inspection_spec(opened).files[FLOAT32].certificate == issued.certificates[FLOAT32]


def test_a_certified_bundle_accepts_good_parts_and_an_uncertified_one_accepts_none(
    bundle: Bundle, items: list[Item]
) -> None:
    def decisions(one: Bundle) -> list[tuple[Decision, bool]]:
        inspector = Inspector(one, choice=Choice(file=FLOAT32, threads=1))
        verdicts = [
            inspector.inspect(inspector.prepare(frame(picture))).verdict for picture in (part(7), spotted(8))
        ]
        return [(verdict.decision, verdict.certified) for verdict in verdicts]

    assert decisions(bundle) == [(Decision.REVIEW, False), (Decision.REVIEW, False)]
    assert decisions(issue(bundle, items, TERMS).bundle) == [(Decision.ACCEPT, True), (Decision.REJECT, True)]


def test_nothing_but_the_decision_changes(bundle: Bundle, items: list[Item]) -> None:
    written = issue(bundle, items, TERMS).bundle.manifest
    assert written.model_copy(update={"decision": bundle.manifest.decision}) == bundle.manifest


def test_a_picture_the_model_was_trained_on_is_refused_before_anything_is_scored(
    tmp_path: Path, items: list[Item]
) -> None:
    bundle = certifiable_bundle(tmp_path / "bundle", seen=[items[70].path])
    before, scored = bundle.digest(), list[int]()
    with pytest.raises(ManifestError, match=rf"{items[70].path.name}.*not trained or tuned on"):
        issue(bundle, items, TERMS, advance=scored.append)
    assert scored == []
    assert open_bundle(bundle.path).digest() == before


def test_a_copy_of_a_training_picture_under_another_name_is_known_again(
    tmp_path: Path, items: list[Item]
) -> None:
    copied = tmp_path / "another-name.png"
    copied.write_bytes(items[70].path.read_bytes())
    bundle = certifiable_bundle(tmp_path / "bundle", seen=[copied])
    with pytest.raises(ManifestError, match="not trained or tuned on"):
        issue(bundle, items, TERMS)


def test_a_label_the_model_does_not_know_is_refused(bundle: Bundle, items: list[Item]) -> None:
    stranger = Item(path=items[0].path, label="green", split="val", group="one", columns={})
    with pytest.raises(ManifestError, match="expected the model's labels good, red, blue, found 'green'"):
        issue(bundle, [*items, stranger], TERMS)


@pytest.mark.parametrize(
    "missing", ["seen", "embeddings", "tune_classes", f"tune_logits_{FLOAT32}", f"tune_distances_{FLOAT32}"]
)
def test_a_bundle_without_what_certifying_takes_is_refused_before_the_data_are_opened(
    tmp_path: Path, items: list[Item], missing: str
) -> None:
    bundle, scored = certifiable_bundle(tmp_path / "bundle", without=missing), list[int]()
    with pytest.raises(BundleError, match=rf"reference\.npz: expected an array '{missing}', found none"):
        issue(bundle, items, TERMS, advance=scored.append)
    assert scored == []


def test_parts_of_one_kind_alone_are_refused(bundle: Bundle, items: list[Item]) -> None:
    with pytest.raises(ManifestError, match="expected good and defective parts, found 0 defective among 40"):
        issue(bundle, [item for item in items if item.label == "good"], TERMS)


def test_every_opening_of_the_same_data_is_counted(bundle: Bundle, items: list[Item], tmp_path: Path) -> None:
    first = issue(bundle, items, TERMS)
    again = issue(first.bundle, items[::-1], TERMS)  # in another order they are the same data
    others = issue(again.bundle, parts(tmp_path / "others", seed=5000), TERMS)
    assert (first.openings, again.openings, others.openings) == (1, 2, 1)
    records = inspection_spec(others.bundle).calibrations
    assert [record.certified for record in records] == [(FLOAT32,)] * 3
    assert records[0].data_digest == records[1].data_digest == first.certificates[FLOAT32].calibration_digest
    assert records[2].data_digest != records[0].data_digest


def test_an_opening_that_certified_nothing_is_counted_too(bundle: Bundle, items: list[Item]) -> None:
    strict = Terms(max_escape=0.01, confidence=0.95, costs=Costs())
    failed = issue(bundle, items, strict)
    assert failed.certificates == {}
    assert not failed.certifications[FLOAT32].certified
    decision = inspection_spec(open_bundle(bundle.path)).files[FLOAT32]
    assert (decision.certificate, decision.policy.accept_at) == (None, None)
    assert [record.certified for record in inspection_spec(failed.bundle).calibrations] == [()]
    assert issue(failed.bundle, items, TERMS).openings == 2


def test_a_later_failure_takes_an_earlier_certificate_back(bundle: Bundle, items: list[Item]) -> None:
    certified = issue(bundle, items, TERMS)
    again = issue(certified.bundle, items, Terms(max_escape=0.01, confidence=0.95, costs=Costs()))
    assert inspection_spec(open_bundle(again.bundle.path)).files[FLOAT32].certificate is None


def test_groups_bind_unless_parts_are_taken_for_independent(tmp_path: Path) -> None:
    tied = parts(tmp_path / "tied", group_of=5)
    bundle = certifiable_bundle(tmp_path / "bundle")
    refused = issue(bundle, tied, TERMS).certifications[FLOAT32]
    assert (refused.binding, refused.certified) == ("groups exchangeable", False)
    assert [bound.units for bound in refused.bounds] == [60, 12]
    assumed = Terms(max_escape=0.05, confidence=0.95, costs=Costs(), assume_independent_parts=True)
    assert issue(bundle, tied, assumed).certificates[FLOAT32].binding == "parts exchangeable"


def test_a_signature_does_not_outlive_the_change(tmp_path: Path, items: list[Item]) -> None:
    key = Ed25519PrivateKey.generate()
    bundle = certifiable_bundle(tmp_path / "bundle", key=key)
    open_bundle(bundle.path, trusted=[key.public_key()], require_signature=True)
    issued = issue(bundle, items, TERMS)
    assert issued.bundle.signed_by is None
    assert not (bundle.path / SIGNATURE).exists()
    with pytest.raises(BundleError, match="expected a signature"):
        open_bundle(bundle.path, trusted=[key.public_key()], require_signature=True)


def test_a_changed_byte_of_the_model_makes_the_certified_bundle_unreadable(
    bundle: Bundle, items: list[Item]
) -> None:
    issue(bundle, items, TERMS)
    path = bundle.path / FLOAT32
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"model\.onnx: expected sha256"):
        open_bundle(bundle.path)


def loosened(decision: dict[str, Any]) -> None:
    decision["policy"]["accept_at"] = 0.5


def cooled(decision: dict[str, Any]) -> None:
    decision["temperature"] = 3.0


def moved(decision: dict[str, Any]) -> None:
    decision["certificate"]["accept_at"] = 0.5


@pytest.mark.parametrize(
    ("edit", "what"), [(loosened, "accept threshold"), (moved, "accept threshold"), (cooled, "temperature")]
)
def test_a_certificate_refuses_a_decision_that_was_edited_afterwards(
    bundle: Bundle, items: list[Item], edit: Callable[[dict[str, Any]], None], what: str
) -> None:
    issue(bundle, items, TERMS)
    path = bundle.path / MANIFEST
    manifest = json.loads(path.read_text())
    edit(manifest["decision"]["files"][FLOAT32])
    path.write_text(json.dumps(manifest))
    with pytest.raises(CertificateError, match=rf"certificate of model\.onnx: {what}: expected"):
        inspection_spec(open_bundle(bundle.path))


def test_a_certificate_refuses_another_model_with_a_proper_digest(bundle: Bundle, items: list[Item]) -> None:
    issue(bundle, items, TERMS)
    other = onnx_model(head_scale=0.5)
    (bundle.path / FLOAT32).write_bytes(other)
    path = bundle.path / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"][FLOAT32] = {"sha256": hashlib.sha256(other).hexdigest(), "bytes": len(other)}
    path.write_text(json.dumps(manifest))
    with pytest.raises(CertificateError, match=r"certificate of model\.onnx: model file: expected"):
        inspection_spec(open_bundle(bundle.path))


def test_a_certificate_refuses_another_preprocessing(bundle: Bundle, items: list[Item]) -> None:
    issued = issue(bundle, items, TERMS).bundle
    other = issued.manifest.preprocess.model_copy(update={"reduced_decoding": False})
    with pytest.raises(CertificateError, match="preprocessing: expected"):
        inspection_spec(rewrite(issued, manifest=issued.manifest.model_copy(update={"preprocess": other})))


def test_on_a_full_disk_the_bundle_stays_as_it_was(tmp_path: Path, items: list[Item]) -> None:
    with small_disk(tmp_path / "disk", kibibytes=400) as disk:
        bundle = certifiable_bundle(disk / "bundle")
        (disk / "filler").write_bytes(bytes(disk_usage(disk).free - 16 * 1024))
        with pytest.raises(StorageError, match="cannot be written: No space left on device"):
            issue(bundle, items, TERMS)
        assert open_bundle(bundle.path).manifest == bundle.manifest
        assert sorted(child.name for child in disk.iterdir()) == ["bundle", "filler"]


# --- what the drift test compares the line with


@pytest.mark.parametrize(
    ("defect_rate", "taken"),
    [
        (0.05, 5),  # of 95 good and 5 defective parts
        (0.2, 24),  # a quarter as many as good ones
        (0.5, 60),  # no more than there are
        (0.001, 0),
    ],
)
def test_the_typical_mix_holds_as_many_defective_parts_as_the_line_sends(
    defect_rate: float, taken: int
) -> None:
    distances = np.concatenate([np.zeros(95), np.linspace(1, 2, 60)]).astype(np.float32)
    flags = [True] * 95 + [False] * 60
    mix = typical_mix(flags, distances, Costs(defect_rate=defect_rate))
    assert np.count_nonzero(mix == 0) == 95
    assert np.count_nonzero(mix > 0) == taken


def test_defective_parts_of_the_typical_mix_are_spread_over_their_distances() -> None:
    shuffled = np.random.default_rng(0).permutation(np.arange(1, 102, dtype=np.float32))
    mix = typical_mix(
        [True] * 95 + [False] * 101, np.r_[np.zeros(95, np.float32), shuffled], Costs(defect_rate=0.05)
    )
    assert sorted(mix[mix > 0].tolist()) == [11, 31, 51, 71, 91]


def test_the_drift_reference_counts_the_typical_mix(bundle: Bundle, items: list[Item]) -> None:
    drift = issue(bundle, items, TERMS).certificates[FLOAT32].drift
    assert sum(drift.counts) == 42  # 40 good parts and, at a defect rate of 5 %, two defective ones
