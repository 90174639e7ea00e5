"""What a designer asks for: a scene in words or like a picture, a layout, the marketplaces it is for, how many candidates, from which seed.

The product's photo, its mask and the style picture travel beside the brief, as bytes. A brief says nothing of how it is carried out but the
generator's name.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from vision.errors import ImageryError

PLAIN_WHITE: Final = "plain-white"
PROCEDURAL: Final = "procedural"
STUDIO: Final = "studio-64"

MAX_WORDS: Final = 1000  # characters; CLIP's text encoders read 77 tokens at most
MAX_SIDE_PX: Final = 4096
MIN_SIDE_PX: Final = 256
MAX_SEED: Final = 2**32 - 1


class Light(StrEnum):
    """Where the light comes from."""

    LEFT = "left"
    RIGHT = "right"
    ABOVE = "above"


class Layout(BaseModel):
    """How the scene is arranged; what is absent is left to the generator.

    Attributes:
        horizon: where the table's far edge meets the wall, as a share of the frame's height from the top.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    horizon: float | None = Field(default=None, ge=0.2, le=0.9)
    light: Light | None = None


def _one_line(words: str) -> str:
    for character in words:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise ValueError(f"expected words on one line, found the character U+{ord(character):04X}")
    return unicodedata.normalize("NFC", words).strip()


def is_absent(value: object) -> bool:
    """Of fields that came later: where they say nothing they are not written, so that what was written before keeps its digest."""
    return value is None


class Brief(BaseModel):
    """One order of candidates.

    Attributes:
        style: SHA-256 of the picture whose look the scene is to have where the words say nothing.
        scene: the scene in words, English or Chinese; of the product it says nothing. `plain-white` asks for none; empty where the style
            picture says it all.
        rules: names of the rule sets that the images are for, the first being the one the product is placed by.
        generator: what makes the scene: a name above, or that of a model folder that the worker was given.
        size_wh: of the lossless master, in pixels.
        seed: of the first candidate; the n-th one has `seed + n - 1`, modulo 2**32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    style: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(default=None, exclude_if=is_absent)
    scene: str = Field(default="", max_length=MAX_WORDS, validate_default=True)
    rules: tuple[str, ...] = Field(min_length=1, max_length=8)
    generator: str = Field(default=STUDIO, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    layout: Layout = Layout()
    size_wh: tuple[
        Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)],
        Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)],
    ] = (1600, 1600)
    count: int = Field(default=4, ge=1, le=16)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)

    @field_validator("scene")
    @classmethod
    def _words(cls, scene: str, info: ValidationInfo) -> str:
        words = _one_line(scene)
        if not words and info.data.get("style") is None:
            raise ValueError("expected words or a style picture, found neither")
        return words

    @field_validator("scene", "generator")
    @classmethod
    def _has_a_look(cls, name: str, info: ValidationInfo) -> str:
        if name == PLAIN_WHITE and info.data.get("style") is not None:
            raise ValueError(f"expected a scene with a look to a style picture, found {PLAIN_WHITE}")
        return name

    def carried_out(self) -> Self:
        """The brief as it is carried out: the scene `plain-white` is no scene, whoever was to make it."""
        plain = self.scene == PLAIN_WHITE and self.generator != PLAIN_WHITE
        return self.model_copy(update={"generator": PLAIN_WHITE}) if plain else self

    @property
    def title(self) -> str:
        """What people may call it: its words, where there are any."""
        return self.scene or "as in the style picture"

    def seed_of(self, number: int) -> int:
        """The seed of candidate `number`, counted from 1."""
        return (self.seed + number - 1) % (MAX_SEED + 1)


def check_style(brief: Brief, style: bytes | None) -> None:
    """See that a style picture is the one that a brief names, or that there is none.

    Raises:
        ImageryError: it is another, or one of the two is missing.
    """
    found = None if style is None else hashlib.sha256(style).hexdigest()
    if found != brief.style:
        expected = f"the picture of sha256 {brief.style}" if brief.style else "none, as the brief names none"
        raise ImageryError(f"style: expected {expected}, found {found or 'none'}")


def read_brief(values: Mapping[str, Any]) -> Brief:
    """A brief from what somebody wrote.

    Raises:
        ImageryError: a field is unknown, missing or outside its range.
    """
    try:
        return Brief.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        found = first["input"]
        told = f"{len(found)} characters" if isinstance(found, str) and len(found) > 80 else repr(found)
        raise ImageryError(
            f"brief: {'.'.join(map(str, first['loc']))}: {first['msg']}; found {told[:200]}"
        ) from None
