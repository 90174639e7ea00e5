"""Plain white, for marketplaces that demand it: no table, no light, no shadow; every pixel is 255."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from vision.imagery.brief import PLAIN_WHITE, Layout
from vision.imagery.scenes.scene import OnStep, Scene, SceneAsk, Step

WHITE: Final = 255


class PlainWhite:
    """White; the words, the layout and the seed say nothing to it."""

    name: str = PLAIN_WHITE
    synthetic: bool = False

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """White depends on nothing."""
        return {}

    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        """A scene without horizon and light, as there are none in it."""
        width, height = ask.size_wh
        on_step(Step(done=1, steps=1))
        return Scene(image_hwc=np.full((height, width, 3), WHITE, np.uint8), layout=Layout(), record={})
