"""The worst mistakes as pictures: which they are, and what in them spoke for a defect.

Takes what was judged, gives `Exhibit`s to be shown: each picture as the model saw it and the same under its evidence. A
file that has vanished or changed since it was scored is said to have, and stops nothing.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from training.evaluate import Judged
from vision.errors import ImageError
from vision.image import Pixels, read_bytes
from vision.inspection.heatmap import evidence, hottest_region, overlay
from vision.inspection.policy import Decision, Verdict
from vision.inspection.prediction import worst_defect
from vision.preprocess import Prepared, PreprocessSpec, prepare_bytes

MOST: Final = 24
_MOST_MISSED: Final = 16  # of so many shown at most where there are false alarms to show, too
_MOST_SIDE_PX: Final = 384  # twice as wide as a picture on the page
_JPEG_QUALITY: Final = 88

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """Rows of pictures, the most confidently wrong first.

    Attributes:
        missed: defective, and called good by the model or accepted by the policy.
        alarms: good, and called defective or rejected.
    """

    missed: Rows
    alarms: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One mistake to be shown.

    Attributes:
        escaped: defective and accepted.
        picture, heatmap: JPEG data URIs; absent where there is `trouble`.
        evidence_for: the defect label that the heatmap is about.
        trouble: why there is no picture, or why it may be another one.
    """

    name: str
    truth: str
    said: str
    probability: float
    verdict: Verdict | None
    escaped: bool
    evidence_for: str
    picture: str | None
    heatmap: str | None
    trouble: str | None


def mistakes(one: Judged) -> Mistakes:
    """All pictures on which the model or the policy took good for defective or the other way round."""
    good = one.labels.index(one.good)
    called_good = one.probabilities.argmax(1) == good
    accepted, rejected = (_decided(one, decision) for decision in (Decision.ACCEPT, Decision.REJECT))
    probability = one.defect_probability
    missed = np.flatnonzero(one.defective & (called_good | accepted))
    alarms = np.flatnonzero(~one.defective & (~called_good | rejected))
    return Mistakes(
        missed=missed[np.argsort(probability[missed], kind="stable")],
        alarms=alarms[np.argsort(-probability[alarms], kind="stable")],
    )


def worst(found: Mistakes) -> tuple[Rows, Rows]:
    """The missed parts and the false alarms to show, `MOST` together."""
    missed = found.missed[: max(_MOST_MISSED, MOST - len(found.alarms))]
    return missed, found.alarms[: MOST - len(missed)]


def exhibits(one: Judged, rows: Sequence[int] | Rows, spec: PreprocessSpec) -> list[Exhibit]:
    """The pictures of these rows, read again from their files."""
    return [_exhibit(one, int(row), spec) for row in rows]


def _decided(one: Judged, decision: Decision) -> npt.NDArray[np.bool_]:
    if one.verdicts is None:
        return np.zeros(len(one.truth), np.bool_)
    return np.array([verdict.decision is decision for verdict in one.verdicts], np.bool_)


def _exhibit(one: Judged, row: int, spec: PreprocessSpec) -> Exhibit:
    item, prediction = one.scored.items[row], one.scored.predictions[row]
    verdict = one.verdicts[row] if one.verdicts is not None else None
    defect = worst_defect(prediction.logits, one.labels, one.good)
    prepared, trouble = _read_again(one, row, spec)
    picture = heatmap = None
    if prepared is not None:
        shown = _for_page(prepared)
        height, width = shown.image_hwc.shape[:2]
        speaks = evidence(prediction.cam, defect, one.labels.index(one.good))
        region = hottest_region(speaks, (width, height))
        picture, heatmap = _data_uri(shown.image_hwc), _data_uri(overlay(shown, speaks, region=region))
    return Exhibit(
        name=item.path.name,
        truth=item.label,
        said=one.labels[int(one.probabilities[row].argmax())],
        probability=float(one.defect_probability[row]),
        verdict=verdict,
        escaped=bool(one.defective[row]) and verdict is not None and verdict.decision is Decision.ACCEPT,
        evidence_for=one.labels[defect],
        picture=picture,
        heatmap=heatmap,
        trouble=trouble,
    )


def _read_again(one: Judged, row: int, spec: PreprocessSpec) -> tuple[Prepared | None, str | None]:
    """A picture prepared from one reading of its file, and what is to be said about that."""
    path = one.scored.items[row].path
    try:
        data = read_bytes(path)
        prepared = prepare_bytes(data, spec, name=str(path))
    except ImageError:
        gone = not path.is_file()
        return None, "the file is no longer there" if gone else "the file can no longer be read"
    if hashlib.sha256(data).hexdigest() != one.scored.digests[row]:
        return prepared, "the file has changed since it was scored"
    return prepared, None


def _for_page(prepared: Prepared) -> Prepared:
    height, width = prepared.image_hwc.shape[:2]
    scale = min(1.0, _MOST_SIDE_PX / max(height, width))
    if scale == 1:
        return prepared
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(prepared.image_hwc, size_wh, interpolation=cv2.INTER_AREA)
    return replace(prepared, image_hwc=np.asarray(smaller, np.uint8))


def _data_uri(image_hwc: Pixels) -> str:
    """A picture as JPEG inside an address: RGB uint8 (H, W, 3)."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image_hwc, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        raise ImageError(f"an image of shape {image_hwc.shape} cannot be encoded as JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
