"""A studio and a desk of the tests' own: real pictures by plain arithmetic, so that orders can be tried without a scene model.

The scene is one grey, told by its seed; the product is pasted. How long a step takes, and what a worker dies of, tests say.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pydantic import JsonValue

from server.imagery.ports import Image, Subject
from vision.errors import ImageryError, InputError
from vision.image import Pixels, decode, encode_jpeg, encode_png
from vision.imagery.brief import Brief
from vision.imagery.labels.waiver import Waiver
from vision.imagery.manifest import ComposeRecord, CutoutRecord, Manifest, SceneRecord
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import OnStep, Step

RULES: Final = ("bright", "square")


def photo(seed: int = 0, side: int = 40) -> bytes:
    """A product on nothing in particular."""
    y, x = np.mgrid[:side, :side]
    pixels = np.stack([5 * x + seed, 3 * y + seed, x * y], axis=-1) % 256
    return encode_png(pixels.astype(np.uint8))


def brief(**changes: Any) -> Brief:
    values: dict[str, Any] = {
        "scene": "grey",
        "rules": RULES,
        "generator": "grey",
        "size_wh": (256, 256),
        "count": 3,
        "seed": 100,
    }
    return Brief(**values | changes)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    manifest: Manifest
    master_png: bytes
    preview_jpeg: bytes
    difference_png: bytes


@dataclass(slots=True)
class GreyStudio:
    """Makes candidates in so many steps.

    Attributes:
        styles: the style pictures that it was given.
        found: further facts of every image, such as classifiers find them.
        at_step: called before each step with candidate and step; what it raises ends the candidate; `at_check` likewise.
    """

    steps: int = 4
    step_s: float = 0.0
    device: str = "cpu"
    at_step: Callable[[int, int], None] = lambda _, __: None
    at_check: Callable[[], None] = lambda: None
    generators: tuple[str, ...] = ("grey",)
    found: Mapping[str, JsonValue] = field(default_factory=dict)
    made: list[int] = field(default_factory=list)
    styles: list[bytes] = field(default_factory=list)
    cleared: int = 0

    def sit(
        self, photo: bytes, mask: bytes | None, brief: Brief, style: bytes | None = None
    ) -> "GreySitting":
        self.styles += [] if style is None else [style]
        return GreySitting(self, decode(photo).image_hwc, sha256(photo), brief)

    def clear(self) -> None:
        self.cleared += 1


@dataclass(slots=True)
class GreySitting:
    studio: GreyStudio
    product_hwc: Pixels
    photo_sha256: str
    brief: Brief

    @property
    def alpha_png(self) -> bytes:
        return encode_png(np.full_like(self.product_hwc, 255))

    def facts(self, image: Image) -> Mapping[str, JsonValue]:
        return {"cutout": "all of it", "quality": 1.0, "warnings": [], **self.studio.found}

    def check(self, master_png: bytes) -> Sequence[Mapping[str, JsonValue]]:
        self.studio.at_check()
        return [report(master_png, one) for one in self.brief.rules]

    def make(self, number: int, on_step: OnStep) -> Picture:
        width, height = self.brief.size_wh
        scene_hwc = np.full((height, width, 3), self.brief.seed_of(number) % 200, np.uint8)
        for step in range(1, self.studio.steps + 1):
            self.studio.at_step(number, step)
            time.sleep(self.studio.step_s)
            on_step(Step(done=step, steps=self.studio.steps, preview_hwc=scene_hwc[::8, ::8]))
        master_hwc = scene_hwc.copy()
        side_h, side_w = self.product_hwc.shape[:2]
        master_hwc[:side_h, :side_w] = self.product_hwc
        self.studio.made.append(number)
        return Picture(
            manifest=self._manifest(number, scene_hwc, master_hwc),
            master_png=encode_png(master_hwc),
            preview_jpeg=encode_jpeg(master_hwc),
            difference_png=encode_png(master_hwc - scene_hwc),
        )

    def _manifest(self, number: int, scene_hwc: Pixels, master_hwc: Pixels) -> Manifest:
        return Manifest(
            brief=self.brief,
            number=number,
            photo=self.photo_sha256,
            cutout=CutoutRecord(how="mask", alpha=sha256(self.alpha_png), quality=1.0),
            placement=Placement(frame_wh=self.brief.size_wh, scale=1.0, centre_xy=(20.0, 20.0)),
            scene=SceneRecord(
                generator="grey", pixels=sha256(scene_hwc.tobytes()), synthetic=False, layout=self.brief.layout, record={}, fingerprint={}
            ),
            compose=ComposeRecord(version=1, values={}),
            locked=sha256(self.product_hwc.tobytes()),
            master=sha256(master_hwc.tobytes()),
        )  # fmt: skip


def report(image: bytes, rule_set: str) -> dict[str, JsonValue]:
    """`square`: as wide as high; `bright`: of a mean of 20 at least."""
    pixels = decode(image).image_hwc
    height, width = pixels.shape[:2]
    good = width == height if rule_set == "square" else float(pixels.mean()) >= 20
    finding: dict[str, JsonValue] = {
        "rule": rule_set,
        "status": "pass" if good else "fail",
        "measured": f"{width}x{height}",
    }
    return {"rule_set": rule_set, "version": 1, "status": "pass" if good else "fail", "findings": [finding]}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    data: bytes
    format: str
    sha256: str


@dataclass(slots=True)
class PlainDesk:
    """Rule sets of two; files that say by their number how often one was made.

    Attributes:
        version: of the rule sets, as a newer Loupe would bring them.
    """

    version: int = 1
    files: int = 0

    def check_order(self, brief: Brief, policy: Mapping[str, JsonValue], photo: bytes) -> None:
        self.check_rules(brief.rules)

    def check_rules(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in RULES:
                raise ImageryError(f"rule set: expected one of {', '.join(RULES)}; found {name!r}")

    def rule_sets(self) -> Sequence[str]:
        return RULES

    def policies(self) -> Sequence[str]:
        return ("everywhere", "cn")

    def policy(self, name: str, waiver: Waiver | None) -> Mapping[str, JsonValue]:
        name = name or "everywhere"
        if name not in self.policies():
            raise ImageryError(f"label policy: expected one of {', '.join(self.policies())}; found {name!r}")
        if waiver is not None and name != "cn":
            raise ImageryError(f"label policy {name}: has no explicit label that may be waived")
        return {"name": name, "waiver": None if waiver is None else waiver.reason}

    def check(self, image: bytes, rules: Sequence[str]) -> Sequence[Mapping[str, JsonValue]]:
        self.check_rules(rules)
        return [report(image, one) for one in rules]

    def approval(self, subject: Subject) -> str:
        told = [
            sha256(subject.master_png),
            sha256(subject.photo),
            subject.manifest.digest(),
            repr(subject.policy),
            str(self.version),
        ]
        return sha256("\n".join(told).encode())

    def export(self, subject: Subject, rules: str, approved: str) -> tuple[File, Mapping[str, JsonValue]]:
        self.files += 1
        found = report(subject.master_png, rules)
        if found["status"] == "fail":
            raise InputError(f"export: {rules}: expected it to hold, found it broken")
        data = subject.master_png + f"file {self.files}".encode()
        return File(data=data, format="PNG", sha256=sha256(data)), found
