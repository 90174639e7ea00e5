"""ONNX Runtime, met here alone: a model's bytes in, named arrays out.

Takes uint8 pictures `(N, H, W, 3)` as `vision.preprocess` makes them. Knows nothing of labels, thresholds or
files; which file and how many threads is `vision.qualify`'s to say.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from vision.errors import BundleError
from vision.image import Pixels
from vision.machine import this_machine

Outputs: TypeAlias = dict[str, npt.NDArray[np.float32]]
INPUT: Final = "image"


@contextmanager
def _as_file(model: bytes) -> Iterator[str | bytes]:
    """The same bytes as a file in memory, where the system has such and lets it grow to their size.

    ONNX Runtime parses bytes with the interpreter's lock held, 70 ms for 90 MiB, in which a line's parts would miss their gates; it
    parses a file without.
    """
    with ExitStack() as open_files:
        given: str | bytes = model
        if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
            # a limit on file sizes or memory (ulimit -f, a container's) refuses it: then slower, but loaded
            with suppress(OSError):
                file = open_files.enter_context(os.fdopen(os.memfd_create("model"), "wb", buffering=0))
                if file.write(model) == len(model):
                    given = f"/proc/self/fd/{file.fileno()}"
        yield given


class Session:
    """A loaded model.

    Spinning is off: a line pauses between parts, and threads that spin through the pause take the cores from
    the camera and the decoder.

    Args:
        model: the ONNX file's bytes; no external data, no custom operators.
        name: for messages.
        threads: within one run; all cores given to the process by default.

    Raises:
        BundleError: not a model, or not with the input `image: uint8 (N, H, W, 3)`.
    """

    def __init__(self, model: bytes, *, name: str = "model.onnx", threads: int | None = None) -> None:
        self.name = name
        self.threads = threads or this_machine().cores
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            with _as_file(model) as given:
                self._session = ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exception types derive from Exception directly
            raise BundleError(
                f"{name}: expected an ONNX model that this runtime can load: {error}"
            ) from error
        inputs = self._session.get_inputs()
        if not (
            len(inputs) == 1
            and inputs[0].name == INPUT
            and inputs[0].type == "tensor(uint8)"
            and len(inputs[0].shape) == 4
            and not isinstance(inputs[0].shape[0], int)  # the batch is free
            and inputs[0].shape[3] == 3
        ):
            found = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in inputs) or "none"
            raise BundleError(f"{name}: expected one input 'image: uint8 (N, H, W, 3)', found {found}")
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def run(self, images_nhwc: Pixels, outputs: Iterable[str] | None = None) -> Outputs:
        """Run a batch; the named outputs (all by default), float32, first axis the batch.

        Raises:
            BundleError: the model does not take pictures of that size, or has no such output.
        """
        wanted = list(outputs or self.outputs)
        try:
            values: list[Any] = self._session.run(wanted, {INPUT: images_nhwc})
        except Exception as error:  # as above
            raise BundleError(
                f"{self.name}: cannot run pictures of shape {images_nhwc.shape}: {error}"
            ) from error
        return dict(zip(wanted, values, strict=True))

    def warm_up(self, size_wh: tuple[int, int], batch_sizes: Iterable[int] = (1,)) -> None:
        """Run each batch size once, so that no part pays for the first time.

        Raises:
            BundleError: the model does not take pictures of that size.
        """
        for batch in batch_sizes:
            self.run(np.zeros((batch, size_wh[1], size_wh[0], 3), np.uint8))
