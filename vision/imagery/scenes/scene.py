"""What a generator of scenes takes and gives. It knows nothing of products but the room to leave for one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from vision.image import Pixels
from vision.imagery.brief import Layout
from vision.imagery.look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a scene has come.

    Attributes:
        done, steps: steps of the generator.
        preview_hwc: uint8 (H, W, 3) sRGB, small; absent where this step shows nothing.
    """

    done: int
    steps: int
    preview_hwc: Pixels | None = None


# Called after every step. What it raises (`CancelledError` of vision.errors) ends the generation and reaches the caller.
OnStep: TypeAlias = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The placed product, for generators that paint around it; no generator may rely on its pixels being left alone.

    Attributes:
        image_hwc: uint8 (H, W, 3) sRGB, the frame with the product in its place and grey elsewhere.
        mask_hw: bool (H, W), where the product is.
    """

    image_hwc: Pixels
    mask_hw: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A picture whose look a scene is to have where the words say nothing; it is never part of the scene.

    Attributes:
        image_hwc: uint8 (H, W, 3) sRGB, of any size, for generators that look at pictures.
        look: what could be told of it, for those that take words.
    """

    image_hwc: Pixels
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneAsk:
    """One scene.

    Attributes:
        words: may be empty where there is a style.
        size_wh: of the scene, in pixels; a generator makes it at its own size and enlarges it.
        seed: 0 to 2**32 - 1; the same ask on the same fingerprint gives the same pixels.
    """

    words: str
    layout: Layout
    size_wh: tuple[int, int]
    seed: int
    kept: Kept | None = None
    style: Style | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene.

    Attributes:
        image_hwc: uint8 (H, W, 3) sRGB, of the size asked for.
        layout: as it was made, without gaps: shadow and light of the composition follow it.
        record: what was done, as far as it is not in the ask: steps, guidance, the material understood from the words. JSON.
    """

    image_hwc: Pixels
    layout: Layout
    record: Mapping[str, JsonValue]


class SceneGenerator(Protocol):
    """Makes scenes; one at a time, as pipelines are not re-entrant."""

    @property
    def name(self) -> str:
        """As a brief names it."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """All that the same pixels depend on beside the ask: versions, digests of weights, device, threads, processor."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether its scenes are made by a trained model, so that the image has to be labelled as such."""
        ...

    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        """Make one scene.

        Raises:
            InputError: the ask cannot be carried out by this generator.
            CancelledError: raised by `on_step`.
        """
        ...
