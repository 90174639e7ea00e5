"""Making an image again from its manifest, and saying how close it came.

Takes a kept candidate and a way to open its generator; gives a verdict: exact, within tolerance, or not reproducible and why. The cut-out
is not found anew: its alpha is kept beside the manifest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from vision.errors import CancelledError, LoupeError
from vision.image import Pixels
from vision.imagery.compose import blend
from vision.imagery.compose.place import place
from vision.imagery.create import ask_of
from vision.imagery.kept import ALPHA, PHOTO, STYLE, Kept, decode_master, kept_product, pixels_sha256, sha256
from vision.imagery.look import Look
from vision.imagery.manifest import Manifest
from vision.imagery.scenes.scene import OnStep, Scene, SceneGenerator, Style
from vision.imagery.style import style_pixels

# What other thread counts and instruction sets were seen to change: one level, in under 1e-4 of the values
MOST_DELTA: Final = 2
MOST_CHANGED: Final = 1e-3


class Verdict(StrEnum):
    """How close an image that was made again came to the kept one."""

    EXACT = "exact"
    WITHIN = "within_tolerance"
    NOT = "not_reproducible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The verdict on one candidate.

    Attributes:
        max_delta: the largest difference of a value, in levels; nothing where no comparison was possible.
        changed: the share of values that differ, 0 to 1; likewise.
        reasons: why it is not exact; empty where it is.
        differing: in what the run time differs from the recorded one, whatever came of it.
    """

    verdict: Verdict
    max_delta: int | None = None
    changed: float | None = None
    reasons: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


def replay(kept: Kept, open_generator: Callable[[Manifest], SceneGenerator], on_step: OnStep) -> Replayed:
    """Make a kept candidate again and compare.

    Args:
        open_generator: as `vision.imagery.create.generator_of`.

    Raises:
        CancelledError: raised by `on_step`.
    """
    faults = _faults(kept)
    if kept.photo is None or kept.alpha_png is None or faults:
        return Replayed(verdict=Verdict.NOT, reasons=faults)
    manifest = kept.manifest
    try:
        generator = open_generator(manifest)
        differing = _differing(manifest, generator)
        placed = place(kept_product(kept.photo, kept.alpha_png), manifest.placement)
        style = _style(kept)
        ask = ask_of(manifest.brief, manifest.number, manifest.scene.asked, placed, style)
        scene = generator.generate(ask, on_step)
        master = blend.compose(scene, placed).master_hwc
    except CancelledError:
        raise
    except LoupeError as error:
        return Replayed(verdict=Verdict.NOT, reasons=(f"it cannot be made again: {error}",))
    if pixels_sha256(master) == manifest.master:
        return Replayed(verdict=Verdict.EXACT, max_delta=0, changed=0.0, differing=differing)
    found = _compared(kept, master)
    return replace(found, reasons=(*found.reasons, *_why(manifest, scene, differing)), differing=differing)


def _style(kept: Kept) -> Style | None:
    """The style picture with the look that was read of it then, whatever would be read of it now."""
    if kept.manifest.brief.style is None or kept.style is None:
        return None
    return Style(image_hwc=style_pixels(kept.style), look=kept.manifest.scene.look or Look())


def _faults(kept: Kept) -> tuple[str, ...]:
    """Inputs that are missing, or that are not those of the manifest."""
    faults = []
    for name, expected, data in (
        (PHOTO, kept.manifest.photo, kept.photo),
        (ALPHA, kept.manifest.cutout.alpha, kept.alpha_png),
        (STYLE, kept.manifest.brief.style, kept.style),
    ):
        if expected is None:
            continue
        if data is None:
            faults.append(f"{name}: expected beside the manifest, found none")
        elif sha256(data) != expected:
            faults.append(f"{name}: expected sha256 {expected}, found {sha256(data)}")
    return tuple(faults)


def _compared(kept: Kept, master_hwc: Pixels) -> Replayed:
    """The verdict by the pixels; they differ from what the manifest's digest speaks of."""
    if kept.master_png is None:
        return Replayed(
            verdict=Verdict.NOT, reasons=("master: expected beside the manifest to compare with, found none",)
        )
    before = decode_master(kept.master_png)
    if pixels_sha256(before) != kept.manifest.master:
        return Replayed(
            verdict=Verdict.NOT, reasons=("master: its pixels are not those that the manifest speaks of",)
        )
    delta = np.abs(before.astype(np.int16) - master_hwc.astype(np.int16))
    max_delta, changed = int(delta.max()), float(np.count_nonzero(delta) / delta.size)
    within = max_delta <= MOST_DELTA and changed < MOST_CHANGED
    return Replayed(verdict=Verdict.WITHIN if within else Verdict.NOT, max_delta=max_delta, changed=changed)


def _why(manifest: Manifest, scene: Scene, differing: tuple[str, ...]) -> tuple[str, ...]:
    same = pixels_sha256(scene.image_hwc) == manifest.scene.pixels
    where = "the scene is the same, its composition is not" if same else "the scene is another"
    return (where, *(differing or ("the run time is the recorded one in all that a manifest records",)))


def _differing(manifest: Manifest, generator: SceneGenerator) -> tuple[str, ...]:
    compose = {"version": str(manifest.compose.version), **manifest.compose.fingerprint}
    return (
        *_keys("scene", manifest.scene.fingerprint, generator.fingerprint),
        *_keys("composition", compose, {"version": str(blend.VERSION), **blend.fingerprint()}),
    )


def _keys(part: str, recorded: Mapping[str, str], here: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{part}: {key}: recorded {recorded.get(key, 'none')}, here {here.get(key, 'none')}"
        for key in sorted({*recorded, *here})
        if recorded.get(key) != here.get(key)
    )
