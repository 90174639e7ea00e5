"""The generator of drawn scenes: words to a studio to pixels, in a second or two at any size, without a model."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

from vision.imagery.brief import PROCEDURAL
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.words import understand
from vision.imagery.scenes.scene import OnStep, Scene, SceneAsk, Step
from vision.machine import this_machine

VERSION: Final = 1  # of the formulas; another number, other pixels
_PREVIEW_PX: Final = 128


class ProceduralScenes:
    """Draws studios. What stands in them (`SceneAsk.kept`) changes nothing."""

    @property
    def name(self) -> str:
        """Its name in a brief."""
        return PROCEDURAL

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The formulas' version, the libraries that compute them, and the processor, whose vector units may round differently."""
        return {
            "formulas": str(VERSION),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "processor": this_machine().cpu,
        }

    @property
    def synthetic(self) -> bool:
        """Formulas are no trained model."""
        return False

    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        """Draw a scene in two steps: a small one to show, and the scene.

        Raises:
            CancelledError: raised by `on_step`.
        """
        understood = understand(
            ask.words, ask.layout, ask.seed, None if ask.style is None else ask.style.look
        )
        width, height = ask.size_wh
        share = _PREVIEW_PX / max(width, height)
        small = (max(round(width * share), 8), max(round(height * share), 8))
        on_step(Step(done=1, steps=2, preview_hwc=render(understood.studio, small, ask.seed)))
        image_hwc = render(understood.studio, ask.size_wh, ask.seed)
        on_step(Step(done=2, steps=2))
        return Scene(image_hwc=image_hwc, layout=understood.studio.layout, record=understood.record)
