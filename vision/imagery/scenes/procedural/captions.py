"""Studios put into words: the plain caption that our model is asked with, and the many ways that it learns from.

`words.understand` reads every caption back.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

import numpy as np

from vision.imagery.look import Look
from vision.imagery.scenes.procedural import lexicon
from vision.imagery.scenes.procedural.studio import Studio, quiet_studio

FIELDS: Final = ("wall", "table", "light", "softness", "depth", "horizon")

_Pick = Callable[[tuple[str, ...]], str]


class Language(StrEnum):
    """Of a caption."""

    ENGLISH = "en"
    CHINESE = "zh"


def caption(
    studio: Studio, language: Language = Language.ENGLISH, *, fields: tuple[str, ...] = FIELDS
) -> str:
    """The plain caption, such as `blue wall, wood table, light from the left, soft light, shallow depth, horizon 60`.

    Args:
        fields: those of the studio that it speaks of.
    """
    return _written(studio, language, fields, lambda words: words[0])


def caption_of(look: Look) -> str:
    """The plain caption of what a style picture shows; empty where nothing could be told."""
    said = look.said
    fields = tuple(name for name in FIELDS if name in said)
    return caption(replace(quiet_studio(0), **said), fields=fields)


def free_caption(studio: Studio, rng: np.random.Generator) -> str:
    """A caption as somebody might write it: either language, other words, another order, and not everything said."""
    language = Language.ENGLISH if rng.random() < 0.6 else Language.CHINESE
    fields = [name for name in FIELDS if rng.random() < 0.85]
    if rng.random() < 0.3:
        rng.shuffle(fields)
    return _written(studio, language, tuple(fields), lambda words: words[int(rng.random() * len(words))])


def _written(studio: Studio, language: Language, fields: tuple[str, ...], pick: _Pick) -> str:
    at = 0 if language is Language.ENGLISH else 1
    space, comma = (" ", ", ") if language is Language.ENGLISH else ("", "，")
    tables: Mapping[str, Mapping[Any, tuple[tuple[str, ...], tuple[str, ...]]]] = {
        "wall": lexicon.WALLS,
        "table": lexicon.TABLES,
        "light": lexicon.LIGHTS,
        "softness": lexicon.SOFTNESSES,
        "depth": lexicon.DEPTHS,
    }
    nouns = {"wall": lexicon.WALL_NOUNS[at], "table": lexicon.TABLE_NOUNS[at]}
    parts = []
    for name in fields:
        if name == "horizon":
            parts.append(f"{lexicon.HORIZON[at]}{space}{round(studio.horizon * 100):02d}")
            continue
        said = pick(tables[name][getattr(studio, name)][at])
        parts.append(said + space + pick(nouns[name]) if name in nouns else said)
    return comma.join(parts)
