"""A bundle's golden set: a few pictures with the tensor and the outputs they must give, everywhere.

The prepared tensor must match bit for bit, that of a JPEG within `JPEG_LEVELS`, since the standard leaves decoders that much; the
logits within the file's stated tolerance. A bundle that prepares
pictures differently here than where it was certified is refused before it judges a part. What a model takes beside pictures, and the
logits of several levels, are kept in the same way.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vision.bundle import GOLDEN, Bundle
from vision.errors import BundleError, ImageError
from vision.image import Pixels
from vision.preprocess import PreprocessSpec, prepare_bytes
from vision.session import Beside, Session

JPEG_LEVELS: Final = 2
_JPEG: Final = b"\xff\xd8"
_LOGITS: Final = "logits"
_BESIDE: Final = "beside_"


def golden_arrays(
    encoded: Sequence[bytes],
    spec: PreprocessSpec,
    sessions: Mapping[str, Session],
    *,
    beside: Beside | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """The contents of `golden.npz` for some encoded pictures, as this machine computes them.

    Args:
        beside: further inputs by name, a row a picture.
    """
    tensors = [prepare_bytes(data, spec).image_hwc for data in encoded]
    arrays: dict[str, npt.NDArray[Any]] = {
        f"encoded_{index}": np.frombuffer(data, np.uint8) for index, data in enumerate(encoded)
    }
    arrays |= {
        f"tensor_{index}": tensor
        for index, (data, tensor) in enumerate(zip(encoded, tensors, strict=True))
        if data.startswith(_JPEG)
    }
    arrays["sha256"] = np.array([_digest(tensor) for tensor in tensors])
    arrays |= {f"{_BESIDE}{name}": values for name, values in (beside or {}).items()}
    for file, session in sessions.items():
        found = session.run(np.stack(tensors), logits_of(session.outputs), beside=beside)
        arrays |= {f"{name}_{file}": values for name, values in found.items()}
    return arrays


def logits_of(outputs: Sequence[str]) -> list[str]:
    """The outputs that must come out the same: the logits, those of each level where there are several."""
    return [name for name in outputs if name == _LOGITS or name.startswith(f"{_LOGITS}_")]


def check_golden(bundle: Bundle, file: str, session: Session) -> float:
    """Run the golden set through `file`; returns the largest |Δlogit|.

    Raises:
        BundleError: a picture is prepared differently here, or the model answers differently.
    """
    outputs = logits_of(session.outputs)
    if not outputs:
        raise BundleError(f"{bundle.path}: {file}: expected an output 'logits', found {session.outputs}")
    arrays = bundle.arrays(GOLDEN)
    missing = {"sha256", "encoded_0", *(f"{name}_{file}" for name in outputs)} - set(arrays)
    if missing:
        raise BundleError(f"{bundle.path}: {GOLDEN}: expected an array '{min(missing)}', found none")
    tensors = [
        _golden_tensor(bundle, arrays, index, str(expected))
        for index, expected in enumerate(arrays["sha256"].tolist())
    ]
    beside = {
        name.removeprefix(_BESIDE): values for name, values in arrays.items() if name.startswith(_BESIDE)
    }
    found = session.run(np.stack(tensors), outputs, beside=beside)
    for name, logits in found.items():
        golden = arrays[f"{name}_{file}"]
        if logits.shape != golden.shape:
            raise BundleError(
                f"{bundle.path}: {file}: expected golden {name} of shape {golden.shape}, found {logits.shape}"
            )
    # NaN must not be hidden by another level's maximum
    difference = float(np.max([np.abs(found[name] - arrays[f"{name}_{file}"]).max() for name in outputs]))
    tolerance = bundle.manifest.models[file].golden_tolerance
    if not difference <= tolerance:
        raise BundleError(
            f"{bundle.path}: {file}: expected golden logits within {tolerance:g}, found a difference of {difference:g}"
        )
    return difference


def _golden_tensor(
    bundle: Bundle, arrays: Mapping[str, npt.NDArray[Any]], index: int, expected: str
) -> Pixels:
    what = f"{bundle.path}: {GOLDEN}: picture {index}"
    try:
        encoded = arrays[f"encoded_{index}"].tobytes()
        tensor = prepare_bytes(encoded, bundle.manifest.preprocess).image_hwc
    except (KeyError, ImageError) as error:
        raise BundleError(f"{what}: expected a picture that can be prepared here: {error}") from error
    lossy = arrays.get(f"tensor_{index}")
    if lossy is not None and lossy.shape == tensor.shape:
        levels = int(np.abs(lossy.astype(np.int16) - tensor).max())
        if levels <= JPEG_LEVELS:
            return tensor
        raise BundleError(
            f"{what}: expected a JPEG decoded within {JPEG_LEVELS} levels, found a difference of {levels}"
        )
    if _digest(tensor) != expected:
        raise BundleError(
            f"{what}: expected the prepared tensor {expected[:16]}…, found {_digest(tensor)[:16]}…; "
            f"this machine decodes or resizes differently"
        )
    return tensor


def _digest(tensor: Pixels) -> str:
    return hashlib.sha256(tensor.tobytes()).hexdigest()
