"""What a model is told: its prompt from the designer's words and the layout. It knows no pipelines."""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from vision.imagery.brief import Layout, Light
from vision.imagery.diffusion.settings import Words
from vision.imagery.look import Look
from vision.imagery.scenes.procedural.captions import caption, caption_of
from vision.imagery.scenes.procedural.words import understand

_LIGHTS: Final = {
    Light.LEFT: "light from the left",
    Light.RIGHT: "light from the right",
    Light.ABOVE: "light from above",
}


_NOTHING_SAID: Final = "an empty studio, a wall and a table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt.

    Attributes:
        layout: without gaps: as asked for, else as the words say, else as the style picture shows, else a quiet studio's by the seed.
        follows: whether the prompt says the whole layout.
        record: what was understood, for the scene's record.
    """

    text: str
    layout: Layout
    follows: bool
    record: dict[str, JsonValue]


def prompt_of(kind: Words, words: str, layout: Layout, seed: int, look: Look | None = None) -> Prompt:
    """The prompt of an ask; without words it says what could be told of the style picture."""
    understood = understand(words, layout, seed, look)
    if kind is Words.STUDIO:
        return Prompt(
            text=caption(understood.studio),
            layout=understood.studio.layout,
            follows=True,
            record=understood.record,
        )
    if not words:
        asked = Look() if look is None else look.model_copy(update={"light": layout.light or look.light})
        words, layout = caption_of(asked) or _NOTHING_SAID, layout.model_copy(update={"light": None})
    text = words if layout.light is None else f"{words}, {_LIGHTS[layout.light]}"
    return Prompt(text=text, layout=understood.studio.layout, follows=False, record={})
