"""An image put right where that takes no person: the same bytes for the same image, and an image put right stays as it is.

Steps in a fixed order: colours to sRGB, transparency onto white, background to pure white, frame and size, encoding. They are done over
again until nothing is left that they would do; where that does not come to rest, the image is handed back as it was. Labels are never
taken away.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from vision.image import Pixels
from vision.imagery.compliance.check import check_picture
from vision.imagery.compliance.colour import to_srgb
from vision.imagery.compliance.context import Context
from vision.imagery.compliance.geometry import Geometry, Rect, Wh
from vision.imagery.compliance.measures import measure
from vision.imagery.compliance.metadata import Metadata, encode, read_metadata
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.plan import Plan, named, plan
from vision.imagery.compliance.product import Product, darkest
from vision.imagery.compliance.report import Report
from vision.imagery.compliance.rules import RuleSet
from vision.imagery.compliance.white import NEAR_WHITE

QUALITY: Final = 95
_QUALITIES: Final = (95, 92, 90, 88, 85, 80, 75, 70)
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """An image put right, as far as that was possible.

    Attributes:
        data: the very bytes handed in where nothing could be done, or had to be.
        format: of the data, such as JPEG.
        changes: what was done, in order.
        unfixable: why a rule is still broken, by its id.
        context: what is now known of the image: its mask moved along, its name with the right suffix.
        report: of the data as they are now.
    """

    data: bytes
    format: str
    changes: tuple[str, ...]
    unfixable: dict[str, str]
    context: Context
    report: Report


def fix(
    data: bytes,
    rules: RuleSet,
    *,
    context: Context | None = None,
    image_format: str | None = None,
    break_signature: bool = False,
) -> Fixed:
    """Put an encoded image right for a rule set, warnings included; a rule that only warns of a small picture is left alone.

    Args:
        image_format: to encode as, such as JPEG, where the rules allow it; its own by default.
        break_signature: change an image that carries C2PA content credentials as well, which are lost thereby.

    Raises:
        ImageError: it cannot be decoded whole.
        ImageryError: the context's mask is not of its size.
    """
    first = Picture(data, context)
    planned = _planned(first, rules, image_format)
    if first.signed and planned.encodes and not break_signature:
        why = "the image is signed, and any change breaks its signature; ask for that, and sign it anew"
        return _fixed(first, rules, (), dict(planned.unfixable) | dict.fromkeys(planned.remedies, why))
    changes = (
        ["drop the content credentials, which spoke of other bytes"]
        if first.signed and planned.encodes
        else []
    )
    picture = first
    for _ in range(_ROUNDS):
        after, done, failed = _round(picture, planned)
        if after is picture:
            return _fixed(picture, rules, tuple(changes), dict(planned.unfixable) | failed)
        changes += [change for change in done if change not in changes]
        picture, planned = after, _planned(after, rules, image_format)
    planned = _planned(first, rules, image_format)
    why = "what puts it right breaks something else"
    return _fixed(first, rules, (), dict(planned.unfixable) | dict.fromkeys(planned.remedies, why))


def _planned(picture: Picture, rules: RuleSet, image_format: str | None) -> Plan:
    """What to do; text takes seconds to read and nothing can be done about it, so it is not looked for here."""
    quick = [rule for rule in rules.rules if rule.kind != "no_text"]
    broken = [rule.id for rule in quick if measure(rule, picture).holds is False]
    return plan(picture, rules, broken, image_format=image_format)


def _fixed(picture: Picture, rules: RuleSet, changes: tuple[str, ...], unfixable: dict[str, str]) -> Fixed:
    report = check_picture(picture, rules)
    others = [rule for rule in report.broken() if rule not in unfixable]
    return Fixed(
        data=picture.data,
        format=picture.header.format,
        changes=changes,
        unfixable=unfixable | dict(plan(picture, rules, others).unfixable),
        context=picture.context,
        report=report,
    )


def _round(picture: Picture, planned: Plan) -> tuple[Picture, tuple[str, ...], dict[str, str]]:
    """The picture after one go, the same one where nothing was to be done; what was done; and what could not be, by rule."""
    context = picture.context
    if not planned.encodes:
        if context.name is None or "extension" not in planned.kinds:
            return picture, (), {}
        context = replace(context, name=named(context.name, picture.header.format))
        return Picture(picture.data, context), tuple(planned.remedies.values()), {}
    data = _encoded(_redrawn(picture, planned), planned, picture.metadata)
    why = None
    if planned.max_bytes is not None and len(data) > planned.max_bytes:
        why = f"even of quality {_QUALITIES[-1]} it takes {len(data)} bytes"
    elif not read_metadata(data, planned.format, name=picture.name).said() >= picture.metadata.said():
        why = f"{planned.format} would not keep all of the image's labels"
    if why is not None:
        return picture, (), dict.fromkeys(planned.remedies, why)
    if context.name is not None:
        context = (
            replace(context, name=named(context.name, planned.format))
            if "extension" in planned.kinds
            else context
        )
    context = replace(context, alpha_hw=_moved(context.alpha_hw, planned.geometry))
    done = tuple(planned.remedies.values()) or (f"encode as {planned.format}",)
    return Picture(data, context), done, {}


def _redrawn(picture: Picture, planned: Plan) -> Pixels:
    """The picture's pixels after all steps but the last; laid on white by decoding."""
    image_hwc = picture.image_hwc
    if picture.colours.profile is not None and not picture.colours.srgb:
        image_hwc = to_srgb(image_hwc, picture.colours.profile)
    if planned.white is not None and isinstance(picture.product, Product):
        image_hwc = _whitened(image_hwc, picture.product)
    around = (255, 255, 255) if planned.white is not None else picture.background.colour
    return _framed(image_hwc, planned.geometry, around)


def _whitened(image_hwc: Pixels, product: Product) -> Pixels:
    """Pure white wherever it is nearly that and not the product."""
    pale = (darkest(image_hwc) >= NEAR_WHITE) & ~product.mask_hw
    return np.where(pale[:, :, None], np.uint8(255), image_hwc)


def _framed(image_hwc: Pixels, geometry: Geometry, around: tuple[int, ...]) -> Pixels:
    if geometry.rect is not None:
        image_hwc = _cut(image_hwc, geometry.rect, around)
    return image_hwc if geometry.size_wh is None else _sized(image_hwc, geometry.size_wh)


def _cut(image_hwc: Pixels, rect: Rect, around: tuple[int, ...]) -> Pixels:
    """A part of a picture, with one colour where it reaches beyond it."""
    height, width = image_hwc.shape[:2]
    canvas = np.empty((rect.height, rect.width, *image_hwc.shape[2:]), np.uint8)
    canvas[:] = around if image_hwc.ndim == 3 else around[0]
    left, top = max(0, rect.left), max(0, rect.top)
    right, bottom = min(width, rect.left + rect.width), min(height, rect.top + rect.height)
    part = image_hwc[top:bottom, left:right]
    canvas[top - rect.top : bottom - rect.top, left - rect.left : right - rect.left] = part
    return canvas


def _sized(image_hwc: Pixels, size_wh: Wh) -> Pixels:
    smaller = size_wh[0] < image_hwc.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR_EXACT
    return np.asarray(cv2.resize(image_hwc, size_wh, interpolation=interpolation), np.uint8)


def _moved(alpha_hw: Pixels | None, geometry: Geometry) -> Pixels | None:
    return None if alpha_hw is None else _framed(alpha_hw, geometry, (0,))


def _encoded(image_hwc: Pixels, planned: Plan, carried: Metadata) -> bytes:
    """The file, of the highest quality that keeps the limit on bytes; of the lowest one where none does."""
    data = b""
    for quality in _QUALITIES if planned.format == "JPEG" else (QUALITY,):
        data = encode(image_hwc, planned.format, carried, quality=quality)
        if planned.max_bytes is None or len(data) <= planned.max_bytes:
            break
    return data
