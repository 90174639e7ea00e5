"""Faults put into good images, one rule at a time: what each is, in which rule set, and how it is done."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from typing_extensions import override

from tests.vision.imagery.compliance.shots import Shot, placed, scene
from vision.imagery.compliance import RuleSet, rule_set

Rng = np.random.Generator
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
AIGC = (
    '{"Label":"1","ContentProducer":"loupe","ProduceID":"1","ReservedCode1":"","ContentPropagator":"loupe",'
    '"PropagateID":"1","ReservedCode2":""}'
)


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One fault.

    Attributes:
        rule: of the rule set, that has to find it.
        make: an image with the fault; whether the checker is told where the product is, and the side in pixels, the
            set's own by default.
        fixable: whether `fix` has to put it right.
        reads: whether it takes the reader of text.
    """

    rule_set: str
    rule: str
    name: str
    make: Callable[[Rng, bool, int | None], Shot]
    fixable: bool = True
    reads: bool = False

    @override
    def __str__(self) -> str:
        return f"{self.rule_set}: {self.rule}: {self.name}"


def without_reading(name: str) -> RuleSet:
    """A rule set but for its rule on text, which takes seconds."""
    rules = rule_set(name)
    return rules.model_copy(update={"rules": tuple(rule for rule in rules.rules if rule.kind != "no_text")})


def good(name: str, rng: Rng, *, told: bool, size: int | None = None) -> Shot:
    """An image that breaks no rule of the set, unless it is smaller than recommended."""
    size = size or {"shopify": 2048, "etsy": 2000}.get(name, 1600)
    if name == "amazon.main":
        return replace(placed(rng, size=size), told=told)
    if name == "google.merchant":
        ground = scene(rng, size) if told else None
        shot = placed(rng, size=size, fill=0.82, ground=ground)
        return replace(labelled(shot, "trainedAlgorithmicMedia"), told=told, synthetic=True)
    shot = replace(placed(rng, size=size, fill=0.8), told=told)
    if name in {"taobao", "tmall", "jd"}:
        return replace(shot, format="PNG", name="shot.png", synthetic=True, options={"pnginfo": text_chunk()})
    return shot


def packet(source: str) -> bytes:
    """XMP that names a digital source type and holds something of somebody else's."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:Iptc4xmpExt="{IPTC}" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg">'
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE}{source}</Iptc4xmpExt:DigitalSourceType>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def labelled(shot: Shot, source: str) -> Shot:
    return replace(shot, options={**shot.options, "xmp": packet(source)})


def text_chunk() -> Any:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("AIGC", AIGC)
    return info


def wide_gamut() -> bytes:
    """An ICC profile (version 2, matrix and curves) whose primaries are Adobe RGB's, chromatically adapted to D50."""

    def number(value: float) -> int:
        return round(value * 65536)

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">iii", number(x), number(y), number(z))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"a wider gamut\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9505, 1.0, 1.0891),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        whole = value + bytes(-len(value) % 4)
        table += tag + struct.pack(">II", start + len(body), len(whole))
        body += whole
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">iii", number(0.9642), number(1.0), number(0.8249)) + bytes(48)
    return head + table + body


def lying(shot: Shot) -> Shot:
    """With the product's longest side along the picture's width."""
    if shot.alpha_hw.any(axis=0).sum() >= shot.alpha_hw.any(axis=1).sum():
        return shot
    turned = np.ascontiguousarray(shot.image_hwc.swapaxes(0, 1))
    return replace(shot, image_hwc=turned, alpha_hw=np.ascontiguousarray(shot.alpha_hw.T))


def written(
    shot: Shot, words: str, xy: tuple[float, float], height: float, colour: tuple[int, int, int]
) -> Shot:
    """With words over it; place and height in shares of the side."""
    picture = Image.fromarray(shot.image_hwc)
    side = picture.width
    font = ImageFont.load_default(size=height * side)
    ImageDraw.Draw(picture).text((xy[0] * side, xy[1] * side), words, fill=colour, font=font)
    return replace(shot, image_hwc=np.asarray(picture))


def framed(shot: Shot, depth: int, colour: tuple[int, int, int], *, inset: int = 0) -> Shot:
    """With a line of this thickness around it, so far from the border."""
    image = shot.image_hwc.copy()
    height, width = image.shape[:2]
    for step in range(inset, inset + depth):
        cv2.rectangle(image, (step, step), (width - 1 - step, height - 1 - step), colour, 1)
    return replace(shot, image_hwc=image)


def on_ground(shot: Shot, level: int) -> Shot:
    """Before a background of another grey."""
    under = (255 - shot.alpha_hw).astype(np.float64)[:, :, None] / 255
    image = shot.image_hwc - under * (255 - level)
    return replace(shot, image_hwc=np.clip(np.rint(image), 0, 255).astype(np.uint8))


def stained(shot: Shot, level: int, share: float) -> Shot:
    """With a patch in the corner that lies farthest from the product."""
    image = shot.image_hwc.copy()
    side = round(share * len(image))
    image[:side, -side:] = level
    return replace(shot, image_hwc=image)


def vignetted(shot: Shot) -> Shot:
    """Darker towards the border."""
    height, width = shot.alpha_hw.shape
    y, x = np.mgrid[:height, :width]
    away = np.maximum(np.abs(2 * x / width - 1), np.abs(2 * y / height - 1))
    loss = 14 * np.clip((away - 0.93) / 0.07, 0, 1) * (shot.alpha_hw == 0)
    return replace(shot, image_hwc=(shot.image_hwc - np.rint(loss)[:, :, None]).clip(0, 255).astype(np.uint8))


def padded(shot: Shot, width: int, height: int) -> Shot:
    """On a larger white ground."""
    rows, columns = height - shot.image_hwc.shape[0], width - shot.image_hwc.shape[1]
    around = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    image_hwc = np.pad(shot.image_hwc, (*around, (0, 0)), constant_values=255)
    return replace(shot, image_hwc=image_hwc, alpha_hw=np.pad(shot.alpha_hw, around))


def mutations() -> Iterator[Mutation]:
    """Every fault of every rule set that images can be made with."""
    yield from _amazon()
    yield from _google()
    yield from _shops()


def _made(name: str, change: Callable[[Shot, Rng], Shot]) -> Callable[[Rng, bool, int | None], Shot]:
    return lambda rng, told, size: change(good(name, rng, told=told, size=size), rng)


def _amazon() -> Iterator[Mutation]:
    name = "amazon.main"

    def one(rule: str, what: str, change: Callable[[Shot, Rng], Shot], **more: Any) -> Mutation:
        return Mutation(rule_set=name, rule=rule, name=what, make=_made(name, change), **more)

    def anew(rng: Rng, shot: Shot, **how: Any) -> Shot:
        return replace(placed(rng, size=len(shot.alpha_hw), **how), told=shot.told)

    yield one("format", "WebP", lambda shot, _: replace(shot, format="WEBP", name="shot.webp"))
    yield one("extension", "a JPEG named as PNG", lambda shot, _: replace(shot, name="shot.png"))
    yield one("bytes", "eleven megabytes", lambda shot, _: replace(shot, padding=11_000_000))
    yield one("side.min", "430 px", lambda shot, _: shot.resized(430, 430))
    yield one("side.min", "200 px", lambda shot, _: shot.resized(200, 200), fixable=False)
    yield one("side.zoom", "900 px", lambda shot, _: shot.resized(900, 900), fixable=False)
    yield one("side.recommended", "1200 px", lambda shot, _: shot.resized(1200, 1200), fixable=False)
    yield one("side.max", "10,040 px", lambda shot, _: lying(shot).resized(10_040, 500))
    yield one("colour", "a wide gamut", lambda shot, _: replace(shot, options={"icc_profile": wide_gamut()}))
    yield one(
        "colour",
        "CMYK",
        lambda shot, _: replace(shot, mode="CMYK", options={"subsampling": -1}),
        fixable=False,
    )
    yield one(
        "colour",
        "a spoilt profile",
        lambda shot, _: replace(shot, options={"icc_profile": b"no profile"}),
        fixable=False,
    )
    yield one(
        "opaque", "transparent", lambda shot, _: replace(shot, mode="RGBA", format="PNG", name="shot.png")
    )
    yield one("background", "grey 245", lambda shot, _: on_ground(shot, 245))
    yield one("background", "grey 200", lambda shot, _: on_ground(shot, 200), fixable=False)
    yield one("background", "a pale patch", lambda shot, _: stained(shot, 240, 0.04))
    yield one("background", "a dark patch", lambda shot, _: stained(shot, 60, 0.03), fixable=False)
    yield one("background", "a vignette", lambda shot, _: vignetted(shot))
    yield one("fill", "too small", lambda shot, rng: anew(rng, shot, fill=float(rng.uniform(0.5, 0.8))))
    yield one("centre", "aside", lambda shot, rng: anew(rng, shot, fill=0.86, moved=(0.055, 0.055)))
    yield one("whole", "cut", lambda shot, rng: anew(rng, shot, moved=(0.12, -0.12)), fixable=False)
    yield one("border", "a thick frame", lambda shot, rng: framed(shot, 30, (30, 60, 160)), fixable=False)
    yield one("border", "a thin frame", lambda shot, rng: framed(shot, 3, (0, 0, 0)), fixable=False)
    yield one("border", "a line", lambda shot, rng: framed(shot, 4, (120, 20, 20), inset=25), fixable=False)
    yield one(
        "text",
        "a slogan",
        lambda shot, _: written(shot, "SALE 50% OFF", (0.02, 0.004), 0.034, (20, 20, 20)),
        fixable=False,
        reads=True,
    )
    yield one("ai_label", "none", lambda shot, _: replace(shot, synthetic=True), fixable=False)


def _google() -> Iterator[Mutation]:
    name = "google.merchant"

    def one(rule: str, what: str, change: Callable[[Shot, Rng], Shot], **more: Any) -> Mutation:
        return Mutation(rule_set=name, rule=rule, name=what, make=_made(name, change), **more)

    def anew(rng: Rng, shot: Shot, **how: Any) -> Shot:
        size = len(shot.alpha_hw)
        made = placed(rng, size=size, ground=scene(rng, size) if shot.told else None, **how)
        return replace(shot, image_hwc=made.image_hwc, alpha_hw=made.alpha_hw)

    yield one("extension", "a JPEG named as PNG", lambda shot, _: replace(shot, name="shot.png"))
    yield one("bytes", "seventeen megabytes", lambda shot, _: replace(shot, padding=17_000_000))
    yield one("pixels", "65 megapixels", lambda shot, _: shot.resized(8063, 8063))
    yield one("side.min", "400 px", lambda shot, _: shot.resized(400, 400))
    yield one("side.min", "300 px", lambda shot, _: shot.resized(300, 300), fixable=False)
    yield one("side.recommended", "1000 px", lambda shot, _: shot.resized(1000, 1000), fixable=False)
    yield one("fill", "too small", lambda shot, rng: anew(rng, shot, fill=0.6))
    yield one("fill", "too large", lambda shot, rng: anew(rng, replace(shot, told=False), fill=0.95))
    yield one("whole", "cut", lambda shot, rng: anew(rng, shot, fill=0.82, moved=(0.2, -0.2)), fixable=False)
    yield one("border", "a frame", lambda shot, _: framed(shot, 24, (200, 30, 30)), fixable=False)
    yield one(
        "text",
        "a slogan",
        lambda shot, _: written(shot, "FREE SHIPPING", (0.05, 0.02), 0.04, (10, 10, 10)),
        fixable=False,
        reads=True,
    )
    yield one(
        "text",
        "a watermark on the product",
        lambda shot, _: written(
            replace(shot, own_text=()), "photo@shop.com", (0.22, 0.5), 0.08, (250, 250, 250)
        ),
        fixable=False,
        reads=True,
    )
    yield one("ai_label", "none", lambda shot, _: replace(shot, options={}), fixable=False)
    yield one(
        "ai_label.type",
        "composite",
        lambda shot, _: labelled(shot, "compositeWithTrainedAlgorithmicMedia"),
        fixable=False,
    )


def _shops() -> Iterator[Mutation]:
    def one(name: str, rule: str, what: str, change: Callable[[Shot, Rng], Shot], **more: Any) -> Mutation:
        return Mutation(rule_set=name, rule=rule, name=what, make=_made(name, change), **more)

    yield one("shopify", "bytes", "21 megabytes", lambda shot, _: replace(shot, padding=21_000_000))
    yield one("shopify", "side.max", "5,100 px", lambda shot, _: shot.resized(5100, 5100))
    yield one("shopify", "side.zoom", "700 px", lambda shot, _: shot.resized(700, 700), fixable=False)
    yield one(
        "shopify", "side.recommended", "1500 px", lambda shot, _: shot.resized(1500, 1500), fixable=False
    )
    yield one(
        "shopify",
        "aspect",
        "wide",
        lambda shot, _: padded(shot, 5 * len(shot.alpha_hw) // 4, len(shot.alpha_hw)),
    )
    yield one("ebay", "side.min", "450 px", lambda shot, _: shot.resized(450, 450))
    yield one("ebay", "border", "a frame", lambda shot, _: framed(shot, 12, (20, 20, 20)), fixable=False)
    yield one("etsy", "format", "WebP", lambda shot, _: replace(shot, format="WEBP", name="shot.webp"))
    yield one("etsy", "side.min", "500 px", lambda shot, _: shot.resized(500, 500))
    for name in ("taobao", "tmall", "jd"):
        yield one(name, "side.min", "700 px", lambda shot, _: shot.resized(700, 700))
        yield one(
            name, "side.recommended", "1000 px", lambda shot, _: shot.resized(1000, 1000), fixable=False
        )
        yield one(
            name,
            "aspect",
            "wide",
            lambda shot, _: padded(shot, 5 * len(shot.alpha_hw) // 4, len(shot.alpha_hw)),
        )
        yield one(name, "aigc", "none", lambda shot, _: replace(shot, options={}), fixable=False)
