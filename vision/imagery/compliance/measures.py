"""What each kind of rule measures of an image. Takes a rule and a picture, gives whether it holds, what was found, and what words add.

Props and second products are not told from the product; that is left to the person who approves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import PurePath
from typing import Any, Final

from pydantic import JsonValue

from vision.errors import MissingExtraError
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.product import Product
from vision.imagery.compliance.rules import (
    AspectRule,
    CentreRule,
    FillRule,
    FormatRule,
    NoTextRule,
    NumberRule,
    Rule,
    SourceTypeRule,
    WhiteBackgroundRule,
)
from vision.imagery.compliance.text import Line
from vision.imagery.compliance.white import whiteness
from vision.imagery.labels.source import SourceType

SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
_WITHIN: Final = 0.8  # of a line's box that has to lie on the product for the line to be its own
_LIKE: Final = 0.6  # of characters that two readings of one line share


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one rule found.

    Attributes:
        holds: absent where it could not be told; `note` then says why.
    """

    holds: bool | None
    value: JsonValue
    note: str = ""


def measure(rule: Rule, picture: Picture) -> Measured:
    """Hold one rule against a picture."""
    return _MEASURES[rule.kind](rule, picture)


def _format(rule: FormatRule, picture: Picture) -> Measured:
    return Measured(holds=picture.header.format in rule.value, value=picture.header.format)


def _extension(_: Rule, picture: Picture) -> Measured:
    if picture.context.name is None:
        return Measured(holds=None, value=None, note="the file's name is not known")
    suffix = PurePath(picture.context.name).suffix
    wanted = SUFFIXES[picture.header.format]
    note = f"expected {' or '.join(wanted)} for {picture.header.format}"
    return Measured(holds=suffix.lower() in wanted, value=suffix, note=note)


def _number(rule: NumberRule, picture: Picture) -> Measured:
    width, height = picture.size_wh
    found = {
        "bytes": len(picture.data),
        "pixels": width * height,
        "longest_side": max(width, height),
        "shortest_side": min(width, height),
    }[rule.kind]
    return Measured(holds=rule.value.holds(found), value=found)


def _aspect(rule: AspectRule, picture: Picture) -> Measured:
    found = picture.size_wh[0] / picture.size_wh[1]
    near = (abs(found / (width / height) - 1) for width, height in rule.value.ratios)
    return Measured(holds=min(near) <= rule.value.tolerance, value=round(found, 4))


def _colour_space(_: Rule, picture: Picture) -> Measured:
    return Measured(holds=picture.colours.srgb, value=picture.colours.name)


def _opaque(_: Rule, picture: Picture) -> Measured:
    note = "share of pixels that are not opaque"
    return Measured(holds=picture.transparent == 0, value=round(picture.transparent, 6), note=note)


def _white(rule: WhiteBackgroundRule, picture: Picture) -> Measured:
    found = picture.product
    product = found if isinstance(found, Product) else None
    white = whiteness(picture.image_hwc, product, rule.value)
    if product is None and white:
        return Measured(holds=None, value=white.value(), note=f"white along the frame; {found}")
    return Measured(holds=bool(white), value=white.value(), note=_estimated(product))


def _fill(rule: FillRule, picture: Picture) -> Measured:
    product = picture.product
    if not isinstance(product, Product):
        return Measured(holds=None, value=None, note=product)
    share = product.longest_px / max(picture.size_wh)
    return Measured(holds=rule.value.holds(share), value=round(share, 4), note=_estimated(product))


def _centre(rule: CentreRule, picture: Picture) -> Measured:
    product = picture.product
    if not isinstance(product, Product):
        return Measured(holds=None, value=None, note=product)
    away = max(
        abs(centre / side - 0.5) for centre, side in zip(product.centre_xy, picture.size_wh, strict=True)
    )
    return Measured(holds=away <= rule.value, value=round(away, 4), note=_estimated(product))


def _whole(_: Rule, picture: Picture) -> Measured:
    product = picture.product
    if not isinstance(product, Product):
        return Measured(holds=None, value=None, note=product)
    touched = product.touches(picture.size_wh)
    return Measured(holds=not touched, value=list(touched), note=_estimated(product))


def _no_border(_: Rule, picture: Picture) -> Measured:
    drawn = picture.border
    depths: JsonValue = {
        "left": drawn.left,
        "top": drawn.top,
        "right": drawn.right,
        "bottom": drawn.bottom,
    }
    return Measured(holds=not drawn, value=depths, note="depth in pixels of what was drawn around it")


def _no_text(rule: NoTextRule, picture: Picture) -> Measured:
    try:
        lines = picture.lines
    except MissingExtraError as error:
        return Measured(holds=None, value=None, note=str(error))
    believed = [line for line in lines if line.score >= rule.value.score]
    allowed = {_letters(words) for words in rule.value.allowed}
    foreign = [
        line
        for line in believed
        if len(_letters(line.words)) >= rule.value.characters
        and _letters(line.words) not in allowed
        and not _on_product(line, picture)
    ]
    return Measured(holds=not foreign, value=list(dict.fromkeys(line.words for line in foreign)))


def _on_product(line: Line, picture: Picture) -> bool:
    """Whether a line is the product's own: it lies on it, and where it is known what stands there, says that."""
    product = picture.product
    if not isinstance(product, Product):
        return False
    left, top, right, bottom = line.box_xyxy
    if float(product.mask_hw[top:bottom, left:right].mean()) < _WITHIN:
        return False
    own = picture.context.own_text
    return own is None or any(_alike(_letters(line.words), _letters(words)) for words in own)


def _alike(one: str, other: str) -> bool:
    return bool(one) and (one in other or SequenceMatcher(None, one, other).ratio() >= _LIKE)


def _letters(words: str) -> str:
    return "".join(character for character in words.casefold() if character.isalnum())


def _source_type(rule: SourceTypeRule, picture: Picture) -> Measured:
    found = [str(said) for said in picture.metadata.said() if isinstance(said, SourceType)]
    return _label(any(one in rule.value for one in found), list(found), picture)


def _aigc(_: Rule, picture: Picture) -> Measured:
    label = picture.metadata.labels.aigc
    return _label(label is not None, label.to_json() if label else None, picture)


def _label(present: bool, found: JsonValue, picture: Picture) -> Measured:  # noqa: FBT001  (private, and its three callers read well)
    synthetic = picture.context.synthetic
    if present or synthetic:
        return Measured(holds=present, value=found)
    if synthetic is None:
        return Measured(holds=None, value=found, note="it is not known whether AI made a part of the image")
    return Measured(holds=True, value=found, note="no part of the image was made with AI")


def _estimated(product: Product | None) -> str:
    return "" if product is None or product.known else "by the product as estimated from the background"


_MEASURES: Final[Mapping[str, Callable[[Any, Picture], Measured]]] = {
    "format": _format,
    "extension": _extension,
    "bytes": _number,
    "pixels": _number,
    "longest_side": _number,
    "shortest_side": _number,
    "aspect": _aspect,
    "colour_space": _colour_space,
    "opaque": _opaque,
    "white_background": _white,
    "fill": _fill,
    "centre": _centre,
    "whole": _whole,
    "no_border": _no_border,
    "no_text": _no_text,
    "source_type": _source_type,
    "aigc": _aigc,
}
