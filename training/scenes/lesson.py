"""What the model of scenes learns from: drawn studios of 64 pixels, and captions anew for each time one is seen.

Everything is a function of a seed, so a run that was killed goes on with the draws it would have had.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from rich.progress import Progress

from vision.image import Pixels
from vision.imagery.brief import Light
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.captions import FIELDS, Language, caption, free_caption
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import Studio, any_studio

SIDE: Final = 64
_EACH_HELD_OUT: Final = 7
_MIRRORED: Final = {Light.LEFT: Light.RIGHT, Light.RIGHT: Light.LEFT, Light.ABOVE: Light.ABOVE}


def held_out(studio: Studio) -> bool:
    """Whether this wall, table and light together are kept from the lesson, one in seven: a model is asked for them when it is measured."""
    walls, tables, lights = tuple(Wall), tuple(Table), tuple(Light)
    number = walls.index(studio.wall) * len(tables) + tables.index(studio.table)
    return (number * len(lights) + lights.index(studio.light)) % _EACH_HELD_OUT == 3


@dataclass(frozen=True, slots=True)
class SceneLesson:
    """Studios and their pictures.

    Attributes:
        pictures_nhwc: uint8 (N, 64, 64, 3) sRGB.
    """

    studios: tuple[Studio, ...]
    pictures_nhwc: Pixels
    seed: int

    @classmethod
    def drawn(cls, count: int, seed: int, progress_bar: Progress) -> Self:
        """Draw `count` studios, none of those held out; about 3 ms each."""
        rng = np.random.default_rng([seed, 0xD2A3])
        studios: list[Studio] = []
        while len(studios) < count:
            studio = any_studio(rng)
            if not held_out(studio):
                studios.append(studio)
        pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
        task = progress_bar.add_task("drawing scenes", total=count, note="")
        for number, studio in enumerate(studios):
            pictures[number] = render(studio, (SIDE, SIDE), seed + number)
            progress_bar.advance(task)
        progress_bar.remove_task(task)
        return cls(tuple(studios), pictures, seed)

    def batch(self, step: int, size: int) -> tuple[Pixels, list[str], list[Studio]]:
        """The step's pictures, half of them mirrored where that is no held-out studio, with captions; one in ten has none."""
        rng = np.random.default_rng([self.seed, 0xBA7C, step])
        pictures, captions, studios = [], [], []
        for number in rng.integers(0, len(self.studios), size):
            studio, picture = self.studios[number], self.pictures_nhwc[number]
            mirrored = replace(studio, light=_MIRRORED[studio.light])
            if rng.random() < 0.5 and not held_out(mirrored):
                studio, picture = mirrored, picture[:, ::-1]
            pictures.append(picture)
            captions.append("" if rng.random() < 0.1 else _caption(studio, rng))
            studios.append(studio)
        return np.stack(pictures), captions, studios


def _caption(studio: Studio, rng: np.random.Generator) -> str:
    """Mostly the plain one, as our driver asks; else as somebody might write."""
    if rng.random() < 0.35:
        return free_caption(studio, rng)
    fields = tuple(name for name in FIELDS if rng.random() < 0.93)
    return caption(studio, Language.ENGLISH if rng.random() < 0.8 else Language.CHINESE, fields=fields)


def corpus(count: int, seed: int) -> list[str]:
    """Captions to learn a vocabulary from."""
    rng = np.random.default_rng([seed, 0xC0])
    return [_caption(any_studio(rng), rng) for _ in range(count)]
