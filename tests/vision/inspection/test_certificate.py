"""A certificate stands for one model, one preprocessing, one temperature and one threshold, and for nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.bundles import POLICY, PREPROCESS, TEMPERATURE, certificate
from vision.errors import CertificateError
from vision.inspection.certificate import Bound, Certificate
from vision.inspection.policy import Policy


def fitting() -> dict[str, Any]:
    return {
        "model_sha256": certificate().model_sha256,
        "preprocess_sha256": PREPROCESS.digest(),
        "temperature": TEMPERATURE,
        "policy": POLICY,
    }


def test_a_certificate_stands_for_what_it_was_issued_for() -> None:
    certificate().check(**fitting())
    certificate().check(**fitting() | {"policy": Policy(accept_at=0.1, reject_at=0.5)})


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"model_sha256": "f" * 64}, "model file"),
        ({"preprocess_sha256": PREPROCESS.resized((128, 128)).digest()}, "preprocessing"),
        (
            {"preprocess_sha256": PREPROCESS.model_copy(update={"interpolation": "linear_exact"}).digest()},
            "preprocessing",
        ),
        ({"temperature": TEMPERATURE + 1e-9}, "temperature"),
        ({"policy": Policy(accept_at=0.11, reject_at=0.9)}, "accept threshold"),
        ({"policy": Policy(accept_at=0.09, reject_at=0.9)}, "accept threshold"),
        ({"policy": Policy(reject_at=0.9)}, "accept threshold"),
    ],
    ids=["model", "size", "interpolation", "temperature", "looser", "stricter", "none"],
)
def test_a_certificate_stands_for_nothing_else(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(CertificateError, match=rf"certificate of model\.onnx: {what}: expected .+, found"):
        certificate().check(**fitting() | changed)


def test_a_certificate_says_in_one_sentence_what_it_promises() -> None:
    assert certificate().line() == (
        "at most 1% of defective parts are accepted, with 95% confidence, parts exchangeable "
        "(0 of 300 missed in calibration, bound 0.994%)"
    )


def other_bound(**changes: Any) -> tuple[Bound, ...]:
    return (certificate().bounds[0].model_copy(update=changes),)


@pytest.mark.parametrize(
    "bounds", [(), other_bound(holds=False), other_bound(assumption="groups exchangeable")]
)
def test_a_certificate_without_a_bound_that_holds_is_none(bounds: tuple[Bound, ...]) -> None:
    with pytest.raises(ValidationError, match="expected one that holds for parts exchangeable"):
        Certificate.model_validate(certificate().model_dump() | {"bounds": bounds})


def test_a_certificate_comes_back_from_json_as_it_was() -> None:
    again = Certificate.model_validate_json(certificate().model_dump_json())
    assert again == certificate()
    again.check(**fitting())
