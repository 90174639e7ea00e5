"""Products with noise for pixels, in which any wrong one shows, cut out along random outlines; and scenes that spare nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hypothesis import strategies as st

from vision.image import Pixels, encode_png
from vision.imagery.brief import Layout, Light, read_brief
from vision.imagery.compose.blend import Composition
from vision.imagery.compose.place import Box, Placed
from vision.imagery.kept import encode_alpha, pixels_sha256, sha256
from vision.imagery.manifest import CutoutRecord, Manifest, SceneRecord
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import OnStep, Scene, SceneAsk, Step


@dataclass(frozen=True, slots=True)
class Thing:
    """A photo and its alpha."""

    image_hwc: Pixels
    alpha_hw: Pixels

    @property
    def photo(self) -> bytes:
        return encode_png(self.image_hwc)


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def block(size_wh: tuple[int, int], box: Box, *, seed: int = 0) -> Thing:
    """A rectangle, opaque up to its edge."""
    left, top, right, bottom = box
    alpha = np.zeros(size_wh[::-1], np.uint8)
    alpha[top:bottom, left:right] = 255
    return Thing(noise(*size_wh, seed), alpha)


def blob(size_wh: tuple[int, int], seed: int) -> Thing:
    """Some ellipses and rectangles with a hole, hard or softened at the edge."""
    width, height = size_wh
    rng = np.random.default_rng(seed)
    alpha = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        middle = (
            int(rng.integers(width // 4, 3 * width // 4)),
            int(rng.integers(height // 4, 3 * height // 4)),
        )
        axes = int(rng.integers(width // 8, width // 3)), int(rng.integers(height // 8, height // 3))
        cv2.ellipse(alpha, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    if rng.random() < 0.5:
        cv2.circle(alpha, (width // 2, height // 2), min(size_wh) // 12, 0, -1)
    if rng.random() < 0.7:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.5, 3))), np.uint8)
    return Thing(noise(width, height, seed), alpha)


@st.composite
def placements(draw: st.DrawFn, *, frame_wh: tuple[int, int] = (160, 120)) -> Placement:
    """Anywhere in the frame, so that much of a product may lie outside."""
    width, height = frame_wh
    return Placement(
        frame_wh=frame_wh,
        scale=draw(st.sampled_from([0.25, 0.5, 1.0, 1.5]) | st.floats(0.2, 1.5)),
        degrees=draw(st.sampled_from([0.0, 90.0, 180.0, -90.0]) | st.floats(-179, 180)),
        centre_xy=(draw(st.floats(0.2, 0.8)) * width, draw(st.floats(0.2, 0.8)) * height),
    )


LAYOUTS = st.builds(
    Layout,
    horizon=st.none() | st.floats(0.2, 0.9),
    light=st.none() | st.sampled_from(Light),
)


def manifest_of(thing: Thing, placement: Placement, placed: Placed, composition: Composition) -> Manifest:
    """What is checked of a candidate; of its scene next to nothing is told."""
    return Manifest(
        brief=read_brief({"scene": "noise", "rules": ["amazon.main"]}),
        number=1,
        photo=sha256(thing.photo),
        cutout=CutoutRecord(how="mask", alpha=sha256(encode_alpha(thing.alpha_hw)), quality=1.0),
        placement=placement,
        scene=SceneRecord(
            generator="noisy", pixels="0" * 64, synthetic=True, layout=Layout(), record={}, fingerprint={}
        ),
        compose=composition.record,
        locked=pixels_sha256(placed.image_hwc[placed.locked_hw]),
        master=pixels_sha256(composition.master_hwc),
    )


def write_kept(folder: Path, thing: Thing, manifest: Manifest, master_hwc: Pixels) -> Path:
    """A candidate's files; the path of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "photo.png").write_bytes(thing.photo)
    (folder / "alpha.png").write_bytes(encode_alpha(thing.alpha_hw))
    (folder / "candidate-1.png").write_bytes(encode_png(master_hwc))
    (folder / "candidate-1.json").write_bytes(manifest.canonical())
    return folder / "candidate-1.json"


class Noisy:
    """Paints noise over everything, the product included, as a model may that was not told to spare it."""

    name = "noisy"
    synthetic = True

    def __init__(
        self, *, layout: Layout | None = None, steps: int = 3, fingerprint: Mapping[str, str] = {}
    ) -> None:
        self._layout = layout or Layout(horizon=0.6, light=Light.LEFT)
        self._steps = steps
        self.fingerprint = {"noise": "1", **fingerprint}
        self.asked: list[SceneAsk] = []

    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        self.asked.append(ask)
        for done in range(1, self._steps + 1):
            on_step(Step(done=done, steps=self._steps))
        return Scene(
            image_hwc=noise(*ask.size_wh, ask.seed), layout=self._layout, record={"words": ask.words}
        )


def ignore(_: Any) -> None:
    """An `OnStep` that does nothing."""
