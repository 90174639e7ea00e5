"""How a model's folder is to be asked: `loupe-model.toml` beside `model_index.json`.

    licence = "CreativeML Open RAIL-M"      # no licence, no images: what may be done with them depends on it
    source = "where the weights come from"
    steps = 25
    guidance = 7.0
    negative = "text, logo, watermark, people"
    native_px = 512                         # side of the square it learned from
    words = "free"                          # as the designer wrote them; "studio": the plain caption they were understood as
    controlnet = "controlnet-canny"         # a folder, from here
    control = "canny"                       # canny, depth or layout
    control_scale = 0.8
    style_strength = 0.75                   # how much of a style picture is painted over: 0.4 leaves much of it, 1 hardly anything
    loras = [{file = "brand.safetensors", scale = 0.9}]
    hub = "owner/model@COMMIT"              # of the hub, where the pipeline is not here; 40 hexadecimal digits of the commit
    [pinned]                                # SHA-256 by file; where there are any, every file must be among them
    "unet/diffusion_pytorch_model.safetensors" = "..."

Paths are relative to the folder and stay inside it.
"""

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vision.errors import ImageryError, SettingsError
from vision.toml_file import read_model

FILE: Final = "loupe-model.toml"


class Words(StrEnum):
    """What a model is prompted with."""

    FREE = "free"
    STUDIO = "studio"


class Control(StrEnum):
    """What a ControlNet was trained to follow."""

    CANNY = "canny"
    DEPTH = "depth"
    LAYOUT = "layout"


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or any(part.startswith(".") for part in parts):
        raise ValueError(f"expected a path inside the model's folder, nothing hidden, found '{path}'")
    return path


_Path = Annotated[str, Field(max_length=500), AfterValidator(_inside)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lora(_Value):
    """A low-rank change of the model, for a brand's look."""

    file: _Path
    scale: float = Field(default=1.0, ge=-4.0, le=4.0)


class ModelSettings(_Value):
    """As the module says.

    Attributes:
        variant: of the weights' files, such as `fp16`, where they carry one in their names.
        fixed_size: scenes of any shape are made as a square and stretched; else in the shape asked for.
        calm: how much noise is taken from what the model paints, as `enlarge.calmed` does it; for small models.
    """

    licence: str = Field(min_length=1, max_length=200)
    source: str = Field(default="", max_length=2000)
    steps: int = Field(default=25, ge=1, le=200)
    guidance: float = Field(default=7.0, ge=0.0, le=30.0)
    negative: str = Field(default="", max_length=1000)
    variant: str = Field(default="", pattern=r"^[a-z0-9]{0,16}$")
    native_px: int = Field(default=512, ge=16, le=2048, multiple_of=8)
    fixed_size: bool = False
    calm: float = Field(default=0.0, ge=0.0, le=0.5)
    words: Words = Words.FREE
    hub: str = Field(default="", max_length=200, pattern=r"^([\w.-]+/[\w.-]+@[0-9a-f]{40})?$")
    controlnet: _Path | None = None
    control: Control | None = None
    control_scale: float = Field(default=1.0, ge=0.0, le=2.0)
    style_strength: float = Field(default=0.75, ge=0.4, le=1.0)
    loras: tuple[Lora, ...] = Field(default=(), max_length=8)
    pinned: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}

    @property
    def strength(self) -> float:
        """Of a style picture, at which at least one step is made."""
        return max(self.style_strength, 1 / self.steps)


def read_settings(folder: Path) -> ModelSettings:
    """The settings of the model in `folder`.

    Raises:
        ImageryError: they are missing or wrong, or a ControlNet is named without what it follows.
    """
    path = folder / FILE
    if not path.is_file():
        raise ImageryError(f"{path}: expected the model's settings, its licence at least; found no such file")
    try:
        settings = read_model(ModelSettings, path, {})
    except SettingsError as error:
        raise ImageryError(str(error)) from error
    if (settings.controlnet is None) != (settings.control is None):
        raise ImageryError(f"{path}: expected controlnet and control together, found one of them")
    return settings
