"""ONNX Runtime, met here alone: a model's bytes in, named arrays out.

A `Session` takes uint8 pictures `(N, H, W, 3)` as `vision.preprocess` makes them, and what a model wants beside them; a
`ForeignSession` runs a model that was not exported here, of one float picture. Neither knows labels, thresholds or files; which file
and how many threads is `vision.qualify`'s to say.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from vision.errors import BundleError
from vision.image import Pixels
from vision.machine import this_machine

Outputs: TypeAlias = dict[str, npt.NDArray[np.float32]]
Beside: TypeAlias = Mapping[str, npt.NDArray[Any]]
INPUT: Final = "image"
_TYPES: Final = {"tensor(int64)": np.int64, "tensor(float)": np.float32}


@dataclass(frozen=True, slots=True)
class _Further:
    """An input beside the picture: one row a picture, of a fixed shape."""

    dtype: Any
    shape: tuple[int, ...]


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


def _load(model: bytes, name: str, threads: int) -> ort.InferenceSession:
    """Load a model.

    Spinning is off: a line pauses between parts, and threads that spin through the pause take the cores from
    the camera and the decoder.

    Raises:
        BundleError: not a model that this runtime can load.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        with _as_file(model) as given:
            return ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exception types derive from Exception directly
        raise BundleError(f"{name}: expected an ONNX model that this runtime can load: {error}") from error


class Session:
    """A loaded model.

    Args:
        model: the ONNX file's bytes; no external data, no custom operators.
        name: for messages.
        threads: within one run; all cores given to the process by default.

    Raises:
        BundleError: not a model, or not with the input `image: uint8 (N, H, W, 3)`, beside which only int64 and float32 inputs
            with a row a picture are understood.
    """

    def __init__(self, model: bytes, *, name: str = "model.onnx", threads: int | None = None) -> None:
        self.name = name
        self.threads = threads or this_machine().cores
        self._session = _load(model, name, self.threads)
        inputs = {one.name: one for one in self._session.get_inputs()}
        image = inputs.pop(INPUT, None)
        if not (
            image is not None
            and image.type == "tensor(uint8)"
            and len(image.shape) == 4
            and not isinstance(image.shape[0], int)  # the batch is free
            and image.shape[3] == 3
            and all(_is_further(one) for one in inputs.values())
        ):
            every = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in self._session.get_inputs())
            raise BundleError(
                f"{name}: expected an input 'image: uint8 (N, H, W, 3)' and beside it only int64 or float with a row a picture, "
                f"found {every or 'none'}"
            )
        self._further = {
            one: _Further(_TYPES[node.type], tuple(node.shape[1:])) for one, node in inputs.items()
        }
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def run(
        self, images_nhwc: Pixels, outputs: Iterable[str] | None = None, *, beside: Beside | None = None
    ) -> Outputs:
        """Run a batch; the named outputs (all by default), float32, first axis the batch.

        Args:
            beside: further inputs by name, a row a picture; the model gets zeros for those that are not given.

        Raises:
            BundleError: the model does not take pictures of that size, has no such output or input, or a further one has not a row
                a picture.
        """
        wanted = list(outputs or self.outputs)
        for name, further in (beside or {}).items():
            if len(further) != len(images_nhwc):  # the runtime would repeat a single row for all pictures
                raise BundleError(
                    f"{self.name}: cannot run: {name}: expected {len(images_nhwc)} rows, found {len(further)}"
                )
        given = {INPUT: images_nhwc, **self.nothing_beside(len(images_nhwc)), **(beside or {})}
        try:
            values: list[Any] = self._session.run(wanted, given)
        except Exception as error:  # as above
            raise BundleError(
                f"{self.name}: cannot run pictures of shape {images_nhwc.shape}: {error}"
            ) from error
        return dict(zip(wanted, values, strict=True))

    def nothing_beside(self, rows: int) -> dict[str, npt.NDArray[Any]]:
        """Zeros for each further input, by name: what the model gets where only pictures are given."""
        return {name: np.zeros((rows, *one.shape), one.dtype) for name, one in self._further.items()}

    def warm_up(self, size_wh: tuple[int, int], batch_sizes: Iterable[int] = (1,)) -> None:
        """Run each batch size once, so that no part pays for the first time.

        Raises:
            BundleError: the model does not take pictures of that size.
        """
        for batch in batch_sizes:
            self.run(np.zeros((batch, size_wh[1], size_wh[0], 3), np.uint8))


class ForeignSession:
    """A loaded model that was not exported here: one float32 picture `(1, 3, H, W)` in, under whatever name.

    Args:
        model: the ONNX file's bytes.
        name: for messages.

    Attributes:
        size_wh: of the picture it takes.

    Raises:
        BundleError: not a model, or not of one such input of a fixed size.
    """

    def __init__(self, model: bytes, *, name: str, threads: int | None = None) -> None:
        self.name = name
        self._session = _load(model, name, threads or this_machine().cores)
        given = self._session.get_inputs()
        shape = list(given[0].shape) if len(given) == 1 and given[0].type == "tensor(float)" else []
        if not (len(shape) == 4 and shape[1] == 3 and all(isinstance(side, int) for side in shape[2:])):
            every = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in given)
            raise BundleError(f"{name}: expected one input 'float (1, 3, H, W)', found {every or 'none'}")
        self._input = given[0].name
        self.size_wh: tuple[int, int] = (shape[3], shape[2])

    def run(self, picture_chw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The model's first output for one picture (3, H, W), without the batch's axis.

        Raises:
            BundleError: the model does not take pictures of that size, or fails.
        """
        first = self._session.get_outputs()[0].name
        try:
            (answer,) = self._session.run([first], {self._input: picture_chw[None]})
        except Exception as error:  # as above
            raise BundleError(
                f"{self.name}: cannot run a picture of shape {picture_chw.shape}: {error}"
            ) from error
        answered: npt.NDArray[np.float32] = answer[0]
        return answered


def _is_further(node: Any) -> bool:
    """Whether an input's first axis is the batch, which is free, and all others are fixed."""
    fixed = [isinstance(size, int) for size in node.shape]
    return node.type in _TYPES and fixed[:1] == [False] and all(fixed[1:])
