"""The product lock, checked: are the product's pixels in a master still those of its photo?

Takes the master, the photo's bytes, the alpha and the placement; derives the placed product again from these and compares. It shares
nothing with the composition but `place`, and never sees the pixels that were composed with. As a process of its own:

    python -m vision.imagery.lock FOLDER/candidate-1.json ...     # exit 0: kept, 1: changed, 2: files are not what the manifest says
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vision.errors import GuardError, ImageryError, LoupeError
from vision.image import Pixels
from vision.imagery.compose.place import OPAQUE, place
from vision.imagery.kept import (
    ALPHA,
    Kept,
    decode_master,
    kept_product,
    pixels_sha256,
    read_kept,
    sha256,
)
from vision.imagery.manifest import Manifest
from vision.imagery.placement import Placement

_CHILD_S: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """What was found.

    Attributes:
        pixels: locked ones, where the placed product is opaque.
        changed: of these, how many are not the product's.
        max_delta: the largest change of a value, in levels.
        edge: pixels of the soft edge, where product and scene are mixed and nothing is promised.
        locked: SHA-256 of the product's pixels, row by row.
    """

    pixels: int
    changed: int
    max_delta: int
    edge: int
    locked: str

    @property
    def kept(self) -> bool:
        return self.pixels > 0 and self.changed == 0


def verify(master_hwc: Pixels, photo: bytes, alpha_png: bytes, placement: Placement) -> LockReport:
    """Derive the placed product again and compare a master, uint8 RGB (H, W, 3), with it.

    Raises:
        ImageError: photo or alpha cannot be decoded.
        ImageryError: sizes do not fit, or there is no product.
    """
    if master_hwc.shape[:2] != placement.frame_wh[::-1]:
        raise ImageryError(
            f"master: expected {placement.frame_wh[::-1]} rows and columns, found {master_hwc.shape[:2]}"
        )
    placed = place(kept_product(photo, alpha_png), placement)
    locked = placed.alpha_hw == OPAQUE
    product, found = placed.image_hwc[locked], master_hwc[locked]
    deltas = np.abs(product.astype(np.int16) - found.astype(np.int16)).max(axis=1)
    return LockReport(
        pixels=len(product),
        changed=int(np.count_nonzero(deltas)),
        max_delta=int(deltas.max(initial=0)),
        edge=int(((placed.alpha_hw > 0) & ~locked).sum()),
        locked=pixels_sha256(product),
    )


def verify_kept(kept: Kept) -> LockReport:
    """Check a candidate's files against their digests, and its master's product pixels.

    Raises:
        ImageryError: a file is missing or not the one that the manifest speaks of.
        ImageError: a file cannot be decoded.
    """
    manifest, photo, alpha_png, master_png = kept.manifest, kept.photo, kept.alpha_png, kept.master_png
    if photo is None or alpha_png is None or master_png is None:
        raise ImageryError(
            f"candidate {manifest.number}: expected photo, {ALPHA} and master beside it, found not all of them"
        )
    _same_digest("photo", manifest.photo, sha256(photo))
    _same_digest(ALPHA, manifest.cutout.alpha, sha256(alpha_png))
    master = decode_master(master_png)
    report = verify(master, photo, alpha_png, manifest.placement)
    _same_digest("locked pixels", manifest.locked, report.locked)
    if report.kept:  # otherwise the report says more than a digest
        _same_digest("master", manifest.master, pixels_sha256(master))
    return report


def verify_apart(manifest: Manifest, *, photo: bytes, alpha_png: bytes, master_png: bytes) -> LockReport:
    """`verify_kept` in a process of its own, which is given files and nothing of this one's memory.

    Raises:
        GuardError: it could not compare, so nothing is proven.
    """
    with tempfile.TemporaryDirectory(prefix="loupe-lock-") as folder:
        path = Path(folder) / "candidate.json"
        path.write_bytes(manifest.canonical())
        for name, data in (("photo.png", photo), (ALPHA, alpha_png), ("candidate.png", master_png)):
            (path.parent / name).write_bytes(data)
        command = [sys.executable, "-P", "-m", "vision.imagery.lock", str(path)]
        try:
            done = subprocess.run(  # noqa: S603  (this module)
                command, capture_output=True, text=True, timeout=_CHILD_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise GuardError(
                f"candidate {manifest.number}: the lock cannot be verified within {_CHILD_S} s"
            ) from error
    if done.returncode not in {0, 1}:
        raise GuardError(
            f"candidate {manifest.number}: the lock cannot be verified: {done.stderr.strip()[-500:]}"
        )
    return LockReport(**json.loads(done.stdout))


def _same_digest(name: str, expected: str, found: str) -> None:
    if found != expected:
        raise ImageryError(f"{name}: expected sha256 {expected}, found {found}")


def main(arguments: list[str]) -> int:
    """Verify candidates by their manifests' paths and print each one's report as a line of JSON."""
    worst = 0
    for path in arguments:
        try:
            report = verify_kept(read_kept(Path(path)))
        except LoupeError as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        worst = max(worst, 0 if report.kept else 1)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
