"""A frame to the tensor a model was trained on: the only implementation there is.

Takes a `Frame` and a `PreprocessSpec`, gives a `Prepared` of `uint8 (H, W, 3)` RGB pixels. Training, evaluation,
server and edge call this and nothing else, so a model sees at the line what it saw in training. Subtracting the
mean and dividing happen inside the ONNX graph. It knows nothing of models or verdicts.

Interpolation is LINEAR_EXACT or AREA alone: the others differ between OpenCV's CPU paths.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.errors import ImageError
from vision.image import REDUCTIONS, Frame, ImageHeader, ImageLimits, Pixels, decode, read_bytes

_INTERPOLATION: Final = {"area": cv2.INTER_AREA, "linear_exact": cv2.INTER_LINEAR_EXACT}
_MOST_RESIZED_PX: Final = 64_000_000  # `crop` makes the whole of an elongated picture large before it cuts

Coordinate = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=16, le=4096)]


class PreprocessSpec(BaseModel):
    """How pixels become a model's input; part of the model, stored in its bundle.

    Attributes:
        size_wh: the model's input in pixels.
        fit: `stretch` ignores the aspect ratio; `crop` covers the input and cuts the middle out; `pad` fits
            inside and fills the rest with `pad_value`.
        colour: `rgb`, or `grey` for luma in all three channels.
        roi_xyxy: the part of the upright, full-size picture to look at, in pixels; all of it when absent.
        reduced_decoding: let JPEGs be decoded at 1/2, 1/4 or 1/8 where that still covers the target.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_wh: tuple[Side, Side] = (224, 224)
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    interpolation: Literal["area", "linear_exact"] = "area"
    colour: Literal["rgb", "grey"] = "rgb"
    roi_xyxy: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    pad_value: Annotated[int, Field(ge=0, le=255)] = 0
    reduced_decoding: bool = True

    @model_validator(mode="after")
    def _roi_has_an_area(self) -> Self:
        if self.roi_xyxy is not None:
            left, top, right, bottom = self.roi_xyxy
            if right <= left or bottom <= top:
                raise ValueError(f"roi_xyxy: expected left < right and top < bottom, found {self.roi_xyxy}")
        return self

    def resized(self, size_wh: tuple[int, int]) -> Self:
        """The same preprocessing for another input size."""
        return self.model_copy(update={"size_wh": size_wh})

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, which certificates are bound to."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model's input, and the way back to the picture.

    Attributes:
        image_hwc: uint8 (H, W, 3), RGB, exactly `PreprocessSpec.size_wh`.
        scale_xy, offset_xy: a point of the full-size picture lies at `point * scale + offset` here.
        source_wh: the full-size picture in pixels.
    """

    image_hwc: Pixels
    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    source_wh: tuple[int, int]

    @classmethod
    def given(cls, image_hwc: Pixels) -> Self:
        """Pixels that came prepared: the input is all there is of the picture."""
        height, width = image_hwc.shape[:2]
        return cls(image_hwc=image_hwc, scale_xy=(1.0, 1.0), offset_xy=(0.0, 0.0), source_wh=(width, height))

    def to_source(self, box_xyxy: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """A box in prepared pixels as whole pixels of the full-size picture, clipped to it."""
        corners = []
        for index, value in enumerate(box_xyxy):
            axis = index % 2
            point = (value - self.offset_xy[axis]) / self.scale_xy[axis]
            corners.append(int(np.clip(round(point), 0, self.source_wh[axis])))
        return corners[0], corners[1], corners[2], corners[3]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the region lies in the full-size picture and how it is scaled and placed in the input."""

    roi_xyxy: tuple[int, int, int, int]
    resized_wh: tuple[int, int]
    place_xy: tuple[int, int]  # negative: cut off on the left or top; positive: padded


def _plan(size_wh: tuple[int, int], spec: PreprocessSpec, name: str) -> _Plan:
    roi = spec.roi_xyxy or (0, 0, *size_wh)
    if roi[2] > size_wh[0] or roi[3] > size_wh[1]:
        raise ImageError(
            f"{name}: expected a picture that holds the region {roi}, found {size_wh[0]}x{size_wh[1]}"
        )
    roi_wh = (roi[2] - roi[0], roi[3] - roi[1])
    target_w, target_h = spec.size_wh
    if spec.fit == "stretch":
        return _Plan(roi, spec.size_wh, (0, 0))
    pick = max if spec.fit == "crop" else min
    scale = pick(target_w / roi_wh[0], target_h / roi_wh[1])
    resized_wh = (max(1, round(roi_wh[0] * scale)), max(1, round(roi_wh[1] * scale)))
    return _Plan(roi, resized_wh, ((target_w - resized_wh[0]) // 2, (target_h - resized_wh[1]) // 2))


def reduction(header: ImageHeader, spec: PreprocessSpec) -> int:
    """The strongest JPEG reduction (1, 2, 4 or 8) that still leaves at least the pixels the input needs.

    A picture that does not hold the region of interest is decoded in full, for `prepare` to refuse.
    """
    if not spec.reduced_decoding:
        return 1
    roi = spec.roi_xyxy or (0, 0, *header.size_wh)
    if roi[2] > header.size_wh[0] or roi[3] > header.size_wh[1]:
        return 1
    plan = _plan(header.size_wh, spec, "image")
    roi_wh = (roi[2] - roi[0], roi[3] - roi[1])
    fitting = [
        factor
        for factor in REDUCTIONS
        if roi_wh[0] // factor >= plan.resized_wh[0] and roi_wh[1] // factor >= plan.resized_wh[1]
    ]
    return max(fitting, default=1)


def prepare(frame: Frame, spec: PreprocessSpec) -> Prepared:
    """Cut, resize and place a frame as `spec` says.

    Raises:
        ImageError: the picture does not hold the region of interest, or is too elongated to be cropped.
    """
    plan = _plan(frame.size_wh, spec, frame.name)
    if plan.resized_wh[0] * plan.resized_wh[1] > _MOST_RESIZED_PX:
        raise ImageError(
            f"{frame.name}: expected a less elongated picture, found one of {frame.size_wh[0]}x{frame.size_wh[1]}, "
            f"which would grow to {plan.resized_wh[0]}x{plan.resized_wh[1]} to cover {spec.size_wh}"
        )
    resized = cv2.resize(
        _region(frame, plan.roi_xyxy), plan.resized_wh, interpolation=_INTERPOLATION[spec.interpolation]
    )
    placed = _place(np.asarray(resized, np.uint8), plan.place_xy, spec)
    if spec.colour == "grey":
        grey = cv2.cvtColor(placed, cv2.COLOR_RGB2GRAY)
        placed = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    left, top, right, bottom = plan.roi_xyxy
    scale_xy = (plan.resized_wh[0] / (right - left), plan.resized_wh[1] / (bottom - top))
    offset_xy = (plan.place_xy[0] - left * scale_xy[0], plan.place_xy[1] - top * scale_xy[1])
    return Prepared(image_hwc=placed, scale_xy=scale_xy, offset_xy=offset_xy, source_wh=frame.size_wh)


def _region(frame: Frame, roi_xyxy: tuple[int, int, int, int]) -> Pixels:
    """The region's pixels, its coordinates carried over to a picture that was decoded smaller."""
    height, width = frame.image_hwc.shape[:2]
    left, right = (_carried_over(roi_xyxy[side], frame.size_wh[0], width) for side in (0, 2))
    top, bottom = (_carried_over(roi_xyxy[side], frame.size_wh[1], height) for side in (1, 3))
    right, bottom = max(right, 1), max(bottom, 1)
    return frame.image_hwc[min(top, bottom - 1) : bottom, min(left, right - 1) : right]


def _carried_over(coordinate: int, full: int, decoded: int) -> int:
    """Rounded in whole numbers and always upwards: rounding half to even can cost a region a pixel of its width."""
    return (2 * coordinate * decoded + full) // (2 * full)


def _place(resized: Pixels, place_xy: tuple[int, int], spec: PreprocessSpec) -> Pixels:
    x, y = place_xy
    width, height = spec.size_wh
    cut = resized[max(-y, 0) : max(-y, 0) + height, max(-x, 0) : max(-x, 0) + width]
    if cut.shape[:2] == (height, width):
        return np.ascontiguousarray(cut)
    canvas = np.full((height, width, 3), spec.pad_value, np.uint8)
    canvas[max(y, 0) : max(y, 0) + cut.shape[0], max(x, 0) : max(x, 0) + cut.shape[1]] = cut
    return canvas


def prepare_bytes(
    data: bytes, spec: PreprocessSpec, *, name: str = "image", limits: ImageLimits | None = None
) -> Prepared:
    """Decode (reduced where the spec allows) and prepare.

    Raises:
        ImageError: as `vision.image.decode` and `prepare`.
    """
    frame = decode(data, name=name, limits=limits, reduce=lambda header: reduction(header, spec))
    return prepare(frame, spec)


def prepare_file(path: Path, spec: PreprocessSpec, *, limits: ImageLimits | None = None) -> Prepared:
    """Read, decode and prepare a file.

    Raises:
        ImageError: as `prepare_bytes`, and when the file cannot be read.
    """
    return prepare_bytes(read_bytes(path, limits=limits), spec, name=str(path), limits=limits)
