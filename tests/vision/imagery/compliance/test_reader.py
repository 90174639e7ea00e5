"""The reader's detector runs without numbers that are next to nothing, and answers the same to the bit."""

from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from tests.vision.imagery.compliance.mutations import good, written
from vision.imagery.compliance.reader import _DETECTOR, without_denormals
from vision.session import _load

onnx = pytest.importorskip("onnx")
pytest.importorskip("rapidocr", reason="the ocr extra is not installed")


@pytest.fixture(scope="module")
def brought() -> bytes:
    return (files("rapidocr") / _DETECTOR).read_bytes()


@pytest.fixture(scope="module")
def rid(brought: bytes) -> bytes:
    return without_denormals(onnx, brought)


def weights(model: bytes) -> np.ndarray:
    network: Any = onnx.load_from_string(model)
    floats = [one for one in network.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    return np.concatenate([onnx.numpy_helper.to_array(one).ravel() for one in floats])


def test_a_tenth_of_the_detectors_weights_are_denormal_and_become_zero(brought: bytes, rid: bytes) -> None:
    before, after = weights(brought), weights(rid)
    nothing = np.abs(before) < np.finfo(np.float32).tiny
    assert np.mean(nothing & (before != 0)) > 0.1
    assert not after[nothing].any()
    assert np.array_equal(before[np.abs(before) > 1e-30], after[np.abs(before) > 1e-30])


def test_it_answers_the_same_to_the_bit(brought: bytes, rid: bytes) -> None:
    shot = written(
        good("amazon.main", np.random.default_rng(3), told=True, size=320), "SALE", (0.1, 0.4), 0.2, (0, 0, 0)
    )
    picture = (shot.image_hwc.transpose(2, 0, 1)[None] / np.float32(127.5) - 1).astype(np.float32)
    answers = [_load(model, "detector", 1).run(None, {"x": picture})[0] for model in (brought, rid)]
    assert answers[0].max() > 0.9
    assert np.array_equal(*answers)
