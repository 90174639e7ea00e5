"""An ONNX model to its static int8 form, and what that changed.

Takes a float32 model's bytes and training pictures, gives the int8 model's bytes; the guard compares what the two say of the
tune part. Knows nothing of bundles.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
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
from training.run import Run
from training.score import Scored
from vision.bundle import Guard
from vision.errors import StorageError
from vision.image import Pixels
from vision.inspection.novelty import choose_reference
from vision.preprocess import prepare_file
from vision.session import INPUT, Session

RANGE_PICTURES: Final = 64  # fix the activations' ranges
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


def calibration_pictures(run: Run) -> list[Pixels]:
    """Training pictures in class balance, whose activations fix the int8 ranges."""
    train = run.role("train")
    order = choose_reference(classes_of(train, run.labels), seed=run.seed)
    chosen = np.random.default_rng(run.seed).permutation(order)[: RANGE_PICTURES + COMPARED_PICTURES]
    return [prepare_file(train[int(one)].path, run.recipe.preprocess).image_hwc for one in chosen]


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Calibration pictures one by one, as the quantiser asks for them."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._batches: Iterator[dict[str, Pixels]] = iter([{INPUT: picture[None]} for picture in pictures])

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)


def quantise(model: bytes, pictures: Sequence[Pixels]) -> bytes:
    """Static int8: QDQ, unsigned activations, signed weights a channel.

    The ranges are fixed in several ways on the first `RANGE_PICTURES`; the way that moves the logits of the further pictures
    least is taken. What stays float32, and why, is in docs/decisions/0004.

    Raises:
        StorageError: the temporary folder is full.
    """
    ranges, compared = pictures[:RANGE_PICTURES], pictures[RANGE_PICTURES:] or pictures
    expected = _logits(model, compared)
    with temporary_folder() as folder:
        original, prepared = folder / "model.onnx", folder / "prepared.onnx"
        original.write_bytes(model)
        quant_pre_process(original, prepared)
        candidates = [_quantised(prepared, ranges, *way) for way in _WAYS]
    moved = [float(np.square(_logits(one, compared) - expected).mean()) for one in candidates]
    return candidates[int(np.argmin(moved))]


def _logits(model: bytes, pictures: Sequence[Pixels]) -> np.ndarray[Any, np.dtype[np.float32]]:
    session = Session(model)
    return np.concatenate([session.run(picture[None], ["logits"])["logits"] for picture in pictures])


def _quantised(
    prepared: Path, pictures: Sequence[Pixels], method: CalibrationMethod, options: dict[str, Any]
) -> bytes:
    done = prepared.with_name("int8.onnx")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it is at; stdout belongs to results
        quantize_static(
            prepared,
            done,
            _Pictures(pictures),
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
    """The input's normalisation, the first convolution, pooling by maximum, and what makes the outputs."""
    first = next(node.name for node in model.graph.node if node.op_type == "Conv")
    makers = {output: node.name for node in model.graph.node for output in node.output}
    plain = {"Cast", "Sub", "Mul", "Transpose", "MaxPool"}
    kept = [node.name for node in model.graph.node if node.op_type in plain]
    return sorted({first, *kept, *(makers[name] for name in ("logits", "embedding", "cam"))})


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
