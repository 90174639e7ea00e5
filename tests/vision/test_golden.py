"""A bundle that is prepared or answered differently here than where it was made is refused before it judges."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.bundles import (
    FLOAT32,
    INT8,
    PREPROCESS,
    golden_pictures,
    make_bundle,
    manifest,
    onnx_model,
    part,
)
from vision.bundle import GOLDEN, Bundle, ModelEntry, pack_arrays
from vision.errors import BundleError
from vision.golden import check_golden, golden_arrays
from vision.image import encode_jpeg
from vision.preprocess import PreprocessSpec, prepare_bytes
from vision.session import Session


def check(bundle: Bundle, file: str = FLOAT32) -> float:
    return check_golden(bundle, file, Session(bundle.read(file), name=file, threads=1))


def made(spec: PreprocessSpec = PREPROCESS, model: bytes | None = None) -> dict[str, npt.NDArray[Any]]:
    """A golden set as it is made with this preprocessing and model."""
    return golden_arrays(golden_pictures(), spec, {FLOAT32: Session(model or onnx_model(), threads=1)})


def with_golden(path: Path, arrays: dict[str, npt.NDArray[Any]], **overrides: Any) -> Bundle:
    return make_bundle(path, contents={GOLDEN: pack_arrays(arrays)}, **overrides)


def tolerating(tolerance: float) -> dict[str, ModelEntry]:
    return {FLOAT32: ModelEntry(precision="float32", golden_tolerance=tolerance)}


@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_an_untouched_bundle_answers_as_where_it_was_made(file: str, tmp_path: Path) -> None:
    assert check(make_bundle(tmp_path / "plates", int8=True), file) <= 1e-4


@pytest.mark.parametrize(
    "changed",
    [
        {"interpolation": "linear_exact"},
        {"colour": "grey"},
        {"roi_xyxy": (1, 0, 120, 125)},
        {"fit": "pad"},
    ],
)
def test_another_preprocessing_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    spec = PreprocessSpec.model_validate(PREPROCESS.model_dump() | changed)
    bundle = make_bundle(tmp_path / "plates", certified=False, preprocess=spec)
    with pytest.raises(BundleError, match=r"picture 0: expected the prepared tensor [0-9a-f]{16}…, found"):
        check(bundle)
    assert check(with_golden(tmp_path / "other", made(spec), preprocess=spec)) <= 1e-4


def test_another_input_size_is_refused_even_where_the_tensors_fit_it(tmp_path: Path) -> None:
    small = PREPROCESS.resized((32, 32))
    with pytest.raises(BundleError, match="picture 0: expected the prepared tensor"):
        check(make_bundle(tmp_path / "plates", preprocess=small))
    tensor = prepare_bytes(golden_pictures()[0], small).image_hwc
    arrays = {name: made()[name][:1] for name in (f"logits_{FLOAT32}",)}
    digest = hashlib.sha256(tensor.tobytes()).hexdigest()
    arrays |= {"encoded_0": made()["encoded_0"], "sha256": np.array([digest])}
    with pytest.raises(BundleError, match="cannot run pictures of shape"):
        check(with_golden(tmp_path / "other", arrays, preprocess=small))


@pytest.mark.parametrize("scale", [0.99, 1.01, 0.0])
def test_an_altered_model_is_refused(scale: float, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plates", contents={FLOAT32: onnx_model(head_scale=scale)})
    with pytest.raises(BundleError, match=r"expected golden logits within 0\.01, found a difference of"):
        check(bundle)


def test_the_tolerance_is_the_bundles_own(tmp_path: Path) -> None:
    altered = {FLOAT32: onnx_model(head_scale=1.01)}
    found = check(make_bundle(tmp_path / "lenient", contents=altered, models=tolerating(1.0)))
    assert 0.1 < found <= 1
    with pytest.raises(BundleError, match="within"):
        check(make_bundle(tmp_path / "strict", contents=altered, models=tolerating(0.9 * found)))


def test_an_answer_that_is_no_number_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plates", contents={FLOAT32: onnx_model(head_scale=float("nan"))})
    with pytest.raises(BundleError, match="found a difference of nan"):
        check(bundle)


def test_a_model_without_logits_is_refused(tmp_path: Path) -> None:
    renamed = onnx_model().replace(b"logits", b"answer")
    bundle = make_bundle(tmp_path / "plates", contents={FLOAT32: renamed})
    with pytest.raises(BundleError, match=r"expected an output 'logits', found .*'answer'"):
        check(bundle)


@pytest.mark.parametrize("missing", ["sha256", "encoded_0", "encoded_2", f"logits_{FLOAT32}"])
def test_an_incomplete_golden_set_is_refused(missing: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in made().items() if name != missing}
    with pytest.raises(BundleError, match=f"{GOLDEN}: .*{missing}"):
        check(with_golden(tmp_path / "plates", arrays))


def test_a_golden_set_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"{GOLDEN}: expected an array 'encoded_0', found none"):
        check(
            with_golden(
                tmp_path / "plates", {"sha256": np.array([], str), f"logits_{FLOAT32}": np.zeros((0, 3))}
            )
        )


def test_a_golden_picture_that_cannot_be_decoded_is_a_bundle_error(tmp_path: Path) -> None:
    arrays = made() | {"encoded_1": np.zeros(100, np.uint8)}
    with pytest.raises(BundleError, match="picture 1: expected a picture that can be prepared here"):
        check(with_golden(tmp_path / "plates", arrays))


def test_golden_answers_of_another_shape_are_refused(tmp_path: Path) -> None:
    arrays = made() | {f"logits_{FLOAT32}": made()[f"logits_{FLOAT32}"][:1]}
    with pytest.raises(BundleError, match=r"expected golden logits of shape \(1, 3\), found \(4, 3\)"):
        check(with_golden(tmp_path / "plates", arrays))


def test_a_model_file_without_golden_answers_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(
        tmp_path / "plates",
        contents={"other.onnx": onnx_model()},
        models=manifest().models | {"other.onnx": ModelEntry(precision="float32", golden_tolerance=1)},
    )
    with pytest.raises(BundleError, match=r"golden\.npz: expected an array 'logits_other\.onnx', found none"):
        check(bundle, "other.onnx")


def test_golden_arrays_hold_pictures_digests_and_answers() -> None:
    arrays = made()
    assert set(arrays) == {"sha256", f"logits_{FLOAT32}", *(f"encoded_{index}" for index in range(4))}
    assert arrays["encoded_0"].tobytes() == golden_pictures()[0]
    assert arrays[f"logits_{FLOAT32}"].shape == (4, 3)
    assert len(set(arrays["sha256"].tolist())) == 4


def with_a_jpeg(tmp_path: Path, *, levels: int) -> Bundle:
    """A golden set with a JPEG whose stored tensor is `levels` away from what it decodes to here."""
    jpeg = encode_jpeg(part())
    arrays = golden_arrays(
        [*golden_pictures(), jpeg], PREPROCESS, {FLOAT32: Session(onnx_model(), threads=1)}
    )
    name = f"tensor_{len(golden_pictures())}"
    arrays[name] = np.where(arrays[name] < 128, arrays[name] + levels, arrays[name] - levels).astype(np.uint8)
    return with_golden(tmp_path / "plates", arrays)


def test_a_jpeg_may_decode_two_levels_off_on_another_machine(tmp_path: Path) -> None:
    assert check(with_a_jpeg(tmp_path, levels=2)) <= 1e-4


def test_a_jpeg_that_decodes_further_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="within 2 levels, found a difference of 3"):
        check(with_a_jpeg(tmp_path, levels=3))
