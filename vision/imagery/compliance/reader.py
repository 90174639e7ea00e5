"""RapidOCR opened with the models that its package brings, the one that finds text rid of numbers that cost time and say nothing.

Gives the reader as RapidOCR has it; what is asked of it is not known here.
"""

import importlib
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from vision.errors import MissingExtraError

_CANDIDATE: Final = 0.3  # the reader's own 0.5 loses lines that it then reads without a mistake
# Magnitudes below it are made zero: not one of them reaches the last digit of a sum in which there is anything to be seen.
_NOTHING: Final = 1e-30
_DETECTOR: Final = "models/PP-OCRv6_det_small.onnx"  # RapidOCR's own choice, in its package


@cache
def reader() -> Any:
    """The reader with its models loaded, once a process.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        rapidocr, onnx = (importlib.import_module(name) for name in ("rapidocr", "onnx"))
    except ModuleNotFoundError as error:
        raise MissingExtraError("ocr", error.name or "rapidocr") from error
    with tempfile.TemporaryDirectory(prefix="loupe-reader-") as folder:
        detector = Path(folder) / "detector.onnx"
        detector.write_bytes(without_denormals(onnx, (files("rapidocr") / _DETECTOR).read_bytes()))
        opened = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,  # text upside down is read as well as this needs
                "Det.model_path": str(detector),
                "Det.box_thresh": _CANDIDATE,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        opened(np.zeros((32, 32, 3), np.uint8))  # it opens a model when it first needs it
    return opened


def without_denormals(onnx: Any, model: bytes) -> bytes:
    """The same network with weights that are next to nothing made zero.

    Those smaller than 2^-126 are denormal numbers, over which Intel's processors take a hundred times as long. A tenth of the
    weights of RapidOCR's detector are, which was two thirds of its time.
    """
    network = onnx.load_from_string(model)
    for tensor in network.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            weights = np.array(onnx.numpy_helper.to_array(tensor))
            weights[np.abs(weights) < _NOTHING] = 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    return bytes(network.SerializeToString())
