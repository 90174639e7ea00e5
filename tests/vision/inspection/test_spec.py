"""What a bundle says of its decision is understood whole, or refused with the field's name."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.bundles import FLOAT32, INT8, certificate, inspection, make_bundle, manifest
from vision.errors import BundleError, CertificateError
from vision.inspection.policy import Policy
from vision.inspection.spec import FileDecision, InspectionSpec, inspection_spec


def with_decision(path: Path, **changes: Any) -> Any:
    return make_bundle(path, decision=manifest().decision | changes)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("certified", [False, True])
def test_the_decision_comes_back_as_it_was_written(int8: bool, certified: bool, tmp_path: Path) -> None:
    names = (FLOAT32, INT8) if int8 else (FLOAT32,)
    bundle = make_bundle(tmp_path / "plates", int8=int8, certified=certified)
    assert inspection_spec(bundle) == inspection(names, certified=certified)


def test_a_bundle_for_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="task: expected 'inspection', found 'catalog'"):
        inspection_spec(make_bundle(tmp_path / "plates", task="catalog"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"good": "perfect"}, r"decision\.good: expected one of .*'good', 'red', 'blue'.*, found 'perfect'"),
        ({"mood": "good"}, r"decision\.mood: Extra inputs"),
        ({"files": {}}, r"decision\.files: expected \['model\.onnx'\], found \[\]"),
        ({"files": {FLOAT32: {"novelty_radius": 0}}}, r"decision\.files\.model\.onnx\.novelty_radius: "),
        ({"files": {FLOAT32: {}}}, r"decision\.files\.model\.onnx\.novelty_radius: Field required"),
        (
            {"files": {FLOAT32: {"novelty_radius": 1, "temperature": 0}}},
            r"decision\.files\.model\.onnx\.temperature: ",
        ),
        ({"quality": {"max_clipped": 2}}, r"decision\.quality\.max_clipped: "),
    ],
)
def test_a_field_that_is_not_understood_is_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=message):
        inspection_spec(with_decision(tmp_path / "plates", **changes))


def test_every_model_file_has_its_own_decision(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plates", int8=True, decision=manifest((FLOAT32,)).decision)
    with pytest.raises(BundleError, match=r"decision\.files: expected .*int8.*, found \['model\.onnx'\]"):
        inspection_spec(bundle)


def test_a_certificate_of_another_file_is_refused(tmp_path: Path) -> None:
    decision = inspection().files[FLOAT32].model_copy(update={"certificate": certificate(INT8)})
    spec = inspection().model_copy(update={"files": {FLOAT32: decision}})
    bundle = make_bundle(tmp_path / "plates", decision=spec.model_dump(mode="json"))
    with pytest.raises(CertificateError, match=r"certificate of model\.int8\.onnx: model file"):
        inspection_spec(bundle)


def test_an_accept_threshold_needs_a_certificate(tmp_path: Path) -> None:
    bare = {"novelty_radius": 1, "policy": {"accept_at": 0.1}}
    with pytest.raises(BundleError, match=r"no accept threshold without a certificate, found 0\.1"):
        inspection_spec(with_decision(tmp_path / "plates", files={FLOAT32: bare}))
    assert FileDecision(novelty_radius=1, policy=Policy(reject_at=0.9)).certificate is None


@pytest.mark.parametrize("field", ["temperature", "novelty_radius"])
def test_what_is_measured_is_finite(field: str) -> None:
    with pytest.raises(ValidationError, match="finite"):
        FileDecision.model_validate({"novelty_radius": 1.0, field: float("inf")})


def test_a_spec_goes_into_a_manifest_and_leaves_the_rest() -> None:
    spec = InspectionSpec.model_validate(inspection().model_dump() | {"good": "red"})
    written = spec.into(manifest())
    assert InspectionSpec.model_validate(written.decision) == spec
    assert written.model_copy(update={"decision": {}}) == manifest().model_copy(update={"decision": {}})
