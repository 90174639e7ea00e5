"""An ONNX model to its static int8 form, and what that changed.

Takes a float32 model's bytes and training pictures, gives the int8 model's bytes; the guard compares what the two say of the
tune part. Knows nothing of bundles.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.metrics import balanced_accuracy_score

from training.data import classes_of
from training.run import BaseRun, Run
from training.score import Scored
from vision.bundle import Guard
from vision.errors import StorageError
from vision.golden import logits_of
from vision.image import Pixels
from vision.inspection.novelty import choose_reference
from vision.preprocess import prepare_file
from vision.session import INPUT, Session

RANGE_PICTURES: Final = 64  # fix the activations' ranges
EMBEDDING: Final = "embedding"
COMPARED_PICTURES: Final = 64  # further ones, to choose among the ways of fixing them
# Which one is best differs from model to model; none costs anything when the model runs.
_WAYS: Final[tuple[tuple[CalibrationMethod, dict[str, Any]], ...]] = (
    (CalibrationMethod.MinMax, {}),
    (CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
    (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What quantising may change on the tune part.

    Attributes:
        accuracy_drop: points of balanced accuracy.
        verdict_changes: share of pictures that get another class.
    """

    accuracy_drop: float = 0.5
    verdict_changes: float = 0.01


def calibration_pictures(run: BaseRun) -> list[Pixels]:
    """Training pictures in class balance, whose activations fix the int8 ranges."""
    train = run.role("train")
    labels = sorted({item.label for item in train})
    order = choose_reference(classes_of(train, labels), seed=run.seed)
    chosen = np.random.default_rng(run.seed).permutation(order)[: RANGE_PICTURES + COMPARED_PICTURES]
    return [prepare_file(train[int(one)].path, run.recipe.preprocess).image_hwc for one in chosen]


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Calibration pictures one by one, as the quantiser asks for them."""

    def __init__(self, pictures: Sequence[Pixels], beside: Mapping[str, npt.NDArray[Any]]) -> None:
        self._batches: Iterator[dict[str, Any]] = iter(
            [{INPUT: picture[None], **beside} for picture in pictures]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def quantise(model: bytes, pictures: Sequence[Pixels]) -> bytes:
    """Static int8: QDQ, unsigned activations, signed weights a channel; of the backbone alone, not of what reads its features.

    The ranges are fixed in several ways on the first `RANGE_PICTURES`; the way that moves the logits of the further pictures
    least is taken. What stays float32, and why, is in docs/decisions/0004.

    Raises:
        StorageError: the temporary folder is full.
    """
    ranges, compared = pictures[:RANGE_PICTURES], pictures[RANGE_PICTURES:] or pictures
    session = Session(model)
    expected, beside = _logits(session, compared), session.nothing_beside(1)
    with temporary_folder() as folder:
        original, prepared = folder / "model.onnx", folder / "prepared.onnx"
        original.write_bytes(model)
        # symbolic shapes fail on what reads titles, and the backbone knows no symbol but the batch
        quant_pre_process(original, prepared, skip_symbolic_shape=bool(beside))
        candidates = [_quantised(prepared, _Pictures(ranges, beside), *way) for way in _WAYS]
    moved = [float(np.square(_logits(Session(one), compared) - expected).mean()) for one in candidates]
    return candidates[int(np.argmin(moved))]


def _logits(session: Session, pictures: Sequence[Pixels]) -> npt.NDArray[np.float32]:
    """All of a model's logits, side by side: (N, classes)."""
    wanted = logits_of(session.outputs)
    rows = [session.run(picture[None], wanted) for picture in pictures]
    return np.concatenate([np.concatenate([row[name] for name in wanted], axis=1) for row in rows])


def _quantised(
    prepared: Path, pictures: _Pictures, method: CalibrationMethod, options: dict[str, Any]
) -> bytes:
    done = prepared.with_name("int8.onnx")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it is at; stdout belongs to results
        quantize_static(
            prepared,
            done,
            pictures,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=method,
            nodes_to_exclude=_kept_in_float(onnx.load(prepared)),
            extra_options=options,
        )
    return done.read_bytes()


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The input's normalisation, the first convolution, pooling by maximum, what makes the embedding, and all that is no part of it."""
    nodes = list(model.graph.node)
    first = next(node.name for node in nodes if node.op_type == "Conv")
    makers = {output: node for node in nodes for output in node.output}
    plain = {"Cast", "Sub", "Mul", "Transpose", "MaxPool"}
    within, waiting = set[str](), list(makers[EMBEDDING].input)
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in within:
            within.add(node.name)
            waiting.extend(node.input)
    return sorted(
        node.name for node in nodes if node.name == first or node.name not in within or node.op_type in plain
    )


def guard_figures(run: Run, reference_scored: Scored, candidate: Scored) -> Guard:
    """What another file changes on the same pictures."""
    truth = reference_scored.classes(run.labels)
    before, after = reference_scored.logits.argmax(1), candidate.logits.argmax(1)
    drop = balanced_accuracy_score(truth, before) - balanced_accuracy_score(truth, after)
    return Guard(
        pictures=len(truth),
        balanced_accuracy_drop=round(100 * float(drop), 4),
        verdict_changes=round(float((before != after).mean()), 6),
        max_logit_difference=round(float(np.abs(reference_scored.logits - candidate.logits).max()), 4),
    )


def refusal(guard: Guard, allowed: Allowance) -> str | None:
    """Why a quantised file is not packed; nothing if it may be."""
    if guard.balanced_accuracy_drop > allowed.accuracy_drop:
        return (
            f"refused: balanced accuracy drops by {guard.balanced_accuracy_drop:.2f} points, "
            f"at most {allowed.accuracy_drop:g} allowed"
        )
    if guard.verdict_changes > allowed.verdict_changes:
        return f"refused: {guard.verdict_changes:.2%} of verdicts change, at most {allowed.verdict_changes:.2%} allowed"
    return None


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for what external tools read and write, gone afterwards.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise StorageError(
            f"{tempfile.gettempdir()}: cannot be written: {error.strerror or error}"
        ) from error
