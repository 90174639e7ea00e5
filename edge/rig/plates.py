"""A real bundle in milliseconds: a network small enough to check by hand, and pictures of parts for it. For trials and tests.

Needs `onnx`, of the extra `dev`; the runtime does not.

Parts are grey plates, no two tinted alike. A red spot or a blue spot is a defect; the network sees red and blue
directly, so what it must answer, and where its activation maps must lie, is known before it is asked.

    image uint8 (N, 64, 64, 3) ─ Cast ─ Mul 1/255 ─ Transpose ─ Conv 1x1, Relu ─ AveragePool 16
        features (N, 5, 4, 4)    red beyond the other two, blue beyond the other two, and R, G, B as they are
        embedding (N, 5)         their mean over the map
        logits (N, 3)            embedding · HEADᵀ + BIAS
        cam (N, 3, 4, 4)         the same HEAD as a 1x1 convolution: its mean plus BIAS is the logits, exactly
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import TensorProto, helper, numpy_helper

from vision.bundle import (
    GOLDEN,
    REFERENCE,
    Bundle,
    Guard,
    Manifest,
    ModelEntry,
    Provenance,
    pack_arrays,
    write_bundle,
)
from vision.golden import golden_arrays
from vision.image import Frame, Pixels, encode_png
from vision.inspection.certificate import Bound, Certificate
from vision.inspection.drift import drift_reference
from vision.inspection.novelty import radius, reference
from vision.inspection.policy import Policy
from vision.inspection.quality import limits_from, measure
from vision.inspection.spec import FileDecision, InspectionSpec
from vision.preprocess import PreprocessSpec, prepare
from vision.session import Session

LABELS: Final = ("good", "red", "blue")
FLOAT32: Final = "model.onnx"
INT8: Final = "model.int8.onnx"
SIDE: Final = 64  # of the network's input; pictures are twice as large
CELL: Final = 16  # of the activation map, in pixels of the network's input
PREPROCESS: Final = PreprocessSpec(size_wh=(SIDE, SIDE))
RED: Final = (230, 20, 20)
BLUE: Final = (20, 20, 230)
PALE: Final = (185, 80, 80)  # neither a tint nor a clear defect
TEMPERATURE: Final = 1.5
POLICY: Final = Policy(accept_at=0.1, reject_at=0.9)

OUTPUTS: Final[dict[str, tuple[str | int, ...]]] = {
    "logits": ("N", 3),
    "embedding": ("N", 5),
    "cam": ("N", 3, 4, 4),
}
# one row a feature, over R, G, B in 0..1
COLOUR: Final = np.array([[1, -0.5, -0.5], [-0.5, -0.5, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
COLOUR_BIAS: Final = np.array([-0.25, -0.25, 0, 0, 0], np.float32)  # a tint alone is no defect
HEAD: Final = np.array([[0, 0, 0, 0, 0], [600, 0, 0, 0, 0], [0, 600, 0, 0, 0]], np.float32)
BIAS: Final = np.array([4, -4, -4], np.float32)


def part(seed: int = 0) -> Pixels:
    """A good part: uint8 (128, 128, 3), grey with a faint tint and grain of its own."""
    rng = np.random.default_rng(seed)
    shade = rng.uniform(110, 150) + rng.uniform(-12, 12, 3)
    grain = rng.normal(0, 4, (2 * SIDE, 2 * SIDE, 1))
    return np.asarray(np.clip(shade + grain, 0, 255), np.uint8)


def spotted(
    seed: int = 0, *, colour: tuple[int, int, int] = RED, cell_xy: tuple[int, int] = (1, 2)
) -> Pixels:
    """A part with a spot that fills one cell of the activation map."""
    picture, (x, y), side = part(seed), cell_xy, 2 * CELL
    picture[y * side : (y + 1) * side, x * side : (x + 1) * side] = colour
    return picture


def stranger() -> Pixels:
    """Something no part ever looked like: green with the grain of a part."""
    return np.asarray(np.clip(part() * np.array([0.4, 1.5, 0.4]), 0, 255), np.uint8)


def blank() -> Pixels:
    """What a camera with its cap on sends."""
    return np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)


def frame(picture: Pixels) -> Frame:
    return Frame(image_hwc=picture, size_wh=(picture.shape[1], picture.shape[0]))


def prepared_batch(*pictures: Pixels) -> Pixels:
    """uint8 (N, 64, 64, 3): pictures as the network takes them."""
    return np.stack([prepare(frame(picture), PREPROCESS).image_hwc for picture in pictures])


@cache
def onnx_model(*, int8_head: bool = False, head_scale: float = 1.0) -> bytes:
    """The network above. With `int8_head` the head's weights are stored in eight bits, which they fit exactly."""
    head, nodes, tensors = _head(head_scale, int8=int8_head)
    tensors |= {
        "scale": np.array(1 / 255, np.float32),
        "colour": COLOUR[:, :, None, None],
        "colour_bias": COLOUR_BIAS,
        "bias": BIAS,
        "as_filter": np.array([len(LABELS), len(COLOUR), 1, 1]),
    }
    nodes += [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["levels", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["chw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["chw", "colour", "colour_bias"], ["coloured"]),
        helper.make_node("Relu", ["coloured"], ["positive"]),
        helper.make_node(
            "AveragePool", ["positive"], ["features"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", head, "bias"], ["logits"], transB=1),
        helper.make_node("Reshape", [head, "as_filter"], ["filter"]),
        helper.make_node("Conv", ["features", "filter"], ["cam"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in OUTPUTS.items()
    ]
    graph = helper.make_graph(
        nodes,
        "parts",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    return serialised(graph)


def serialised(graph: onnx.GraphProto) -> bytes:
    """A graph as the bytes of a model that every supported runtime reads."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def _head(scale: float, *, int8: bool) -> tuple[str, list[onnx.NodeProto], dict[str, npt.NDArray[Any]]]:
    if not int8:
        return "head", [], {"head": scale * HEAD}
    node = helper.make_node("DequantizeLinear", ["head_int8", "head_step"], ["head"])
    step = np.float32(scale * 600 / 120)
    return "head", [node], {"head_int8": (HEAD / 5).astype(np.int8), "head_step": np.asarray(step)}


def make_bundle(
    path: Path,
    *,
    certified: bool = True,
    int8: bool = False,
    key: Ed25519PrivateKey | None = None,
    contents: dict[str, bytes] | None = None,
    **overrides: Any,
) -> Bundle:
    """Write a bundle: a folder, or one file when `path` ends in `.loupe`.

    Args:
        certified: with thresholds and a certificate for each model file; accepts nothing otherwise.
        int8: with a second model file.
        contents: files to add, or to put in the place of those made here.
        overrides: fields of the manifest.
    """
    files = model_files(int8=int8)
    described = manifest(tuple(files), certified=certified).model_copy(update=overrides)
    return write_bundle(path, described, {**files, **_arrays(tuple(files)), **(contents or {})}, key=key)


def model_files(*, int8: bool = False) -> dict[str, bytes]:
    return {FLOAT32: onnx_model()} | ({INT8: onnx_model(int8_head=True)} if int8 else {})


@cache
def manifest(names: tuple[str, ...] = (FLOAT32,), *, certified: bool = True) -> Manifest:
    """What the bundle says of itself; `files` is filled in when it is written."""
    guard = Guard(pictures=60, balanced_accuracy_drop=0, verdict_changes=0, max_logit_difference=0)
    plain = Manifest(
        name="plates",
        version="1.0",
        task="inspection",
        labels=LABELS,
        preprocess=PREPROCESS,
        outputs=OUTPUTS,
        models={
            name: ModelEntry(
                precision="int8" if name == INT8 else "float32",
                golden_tolerance=0.01,
                guard=guard if name == INT8 else None,
            )
            for name in names
        },
        decision={},
        provenance=Provenance(
            created_at="2025-01-01T00:00:00+00:00",
            data_digest="0" * 64,
            split="split",
            recipe={},
            weights="by hand",
            seed=0,
            code_version="0",
            libraries={},
        ),
    )
    return inspection(names, certified=certified).into(plain)


@cache
def inspection(names: tuple[str, ...] = (FLOAT32,), *, certified: bool = True) -> InspectionSpec:
    """The decision part of the manifest."""
    known = prepared_batch(*[part(seed) for seed in range(100)])
    decision = FileDecision(temperature=TEMPERATURE, novelty_radius=radius(_distances(100), false_alarm=0.01))
    if certified:
        decision = decision.model_copy(update={"policy": POLICY})
    return InspectionSpec(
        good="good",
        quality=limits_from([measure(picture) for picture in known]),
        files={
            name: decision.model_copy(update={"certificate": certificate(name) if certified else None})
            for name in names
        },
    )


def certificate(name: str = FLOAT32) -> Certificate:
    """At most 1 % of defective parts accepted: 300 of them and no miss, as 1 - 0.05^(1/300) = 0.0099."""
    return Certificate(
        model_file=name,
        model_sha256=_sha256(name),
        preprocess_sha256=PREPROCESS.digest(),
        temperature=TEMPERATURE,
        accept_at=0.1,
        max_escape=0.01,
        confidence=0.95,
        binding="parts exchangeable",
        bounds=(
            Bound(
                assumption="parts exchangeable",
                units=300,
                failures=0,
                upper=0.00994,
                holds=True,
                units_needed=299,
            ),
        ),
        calibration_digest="0" * 64,
        calibration_parts=500,
        issued_on="2025-01-01",
        drift=drift_reference(_distances(100), _distances(400)),
    )


def _sha256(name: str) -> str:
    return hashlib.sha256(onnx_model(int8_head=name == INT8)).hexdigest()


def _embeddings(pictures: Sequence[Pixels]) -> npt.NDArray[np.float32]:
    return Session(onnx_model(), threads=1).run(prepared_batch(*pictures), ["embedding"])["embedding"]


@cache
def known_embeddings() -> npt.NDArray[np.float32]:
    """What novelty compares with: good parts, red ones and blue ones."""
    reds = [spotted(seed, colour=RED) for seed in range(60, 80)]
    blues = [spotted(seed, colour=BLUE) for seed in range(80, 100)]
    return _embeddings([*[part(seed) for seed in range(60)], *reds, *blues])


@cache
def _distances(first: int) -> npt.NDArray[np.float32]:
    """Distances of 200 good parts that are not in the reference."""
    others = _embeddings([part(seed) for seed in range(first, first + 200)])
    return reference(known_embeddings()).distances(others)


def golden_pictures() -> list[bytes]:
    """Encoded; cut so that no two ways to resize them give the same."""
    pictures = [part(0), spotted(1), spotted(2, colour=BLUE, cell_xy=(3, 0)), stranger()]
    return [encode_png(np.ascontiguousarray(picture[:-3, :-8])) for picture in pictures]


@cache
def _arrays(names: tuple[str, ...]) -> dict[str, bytes]:
    files = model_files(int8=INT8 in names)
    sessions = {name: Session(files[name], name=name, threads=1) for name in names}
    golden = golden_arrays(golden_pictures(), PREPROCESS, sessions)
    return {
        GOLDEN: pack_arrays(golden),
        REFERENCE: pack_arrays({"embeddings": known_embeddings().astype(np.float16)}),
    }
