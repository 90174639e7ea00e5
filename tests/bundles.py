"""The rig's bundle and pictures of parts, and ways to lay down bundles that are none."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from edge.rig.plates import (
    BIAS,
    BLUE,
    CELL,
    FLOAT32,
    HEAD,
    INT8,
    LABELS,
    PALE,
    POLICY,
    PREPROCESS,
    RED,
    SIDE,
    TEMPERATURE,
    blank,
    certificate,
    frame,
    golden_pictures,
    inspection,
    known_embeddings,
    make_bundle,
    manifest,
    onnx_model,
    part,
    prepared_batch,
    serialised,
    spotted,
    stranger,
)
from vision.archive import SUFFIX

__all__ = [
    "BIAS",
    "BLUE",
    "CELL",
    "FLOAT32",
    "HEAD",
    "INT8",
    "LABELS",
    "PALE",
    "POLICY",
    "PREPROCESS",
    "RED",
    "SIDE",
    "TEMPERATURE",
    "blank",
    "certificate",
    "flipped",
    "frame",
    "golden_pictures",
    "inspection",
    "known_embeddings",
    "lay",
    "make_bundle",
    "manifest",
    "onnx_model",
    "part",
    "prepared_batch",
    "serialised",
    "spotted",
    "stranger",
]


def lay(path: Path, members: Mapping[str, bytes]) -> Path:
    """Put files down as a bundle without asking whether they make one."""
    if path.suffix == SUFFIX:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    path.mkdir(exist_ok=True)
    for name, data in members.items():
        (path / name).write_bytes(data)
    return path


def flipped(data: bytes, bit: int) -> bytes:
    """The same bytes but for one bit."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
