"""A recipe: everything a training run is told beside its data, read from one TOML file.

`resnet50`, `resnet18`, … name the files in `training/recipes/`; a path names one's own. Another backbone, size
or schedule is another recipe file, not new code.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vision.errors import SettingsError
from vision.preprocess import PreprocessSpec

RECIPES: Final = Path(__file__).parent / "recipes"

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Stage(BaseModel):
    """Train at `size_px` squared until this share of the run is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: Fraction
    size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=16)]


class Augment(BaseModel):
    """Changes a part may show without becoming another part. Strengths are fractions, angles degrees."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip_horizontal: bool = True
    flip_vertical: bool = False
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 4.0
    translate: Fraction = 0.04
    zoom: Annotated[float, Field(ge=0, lt=0.9)] = 0.08
    brightness: Fraction = 0.2
    contrast: Fraction = 0.2


class Branches(BaseModel):
    """What a catalog run does beside looking at pictures.

    Attributes:
        text_width: of an n-gram's vector.
        text_dropout: share of a title's n-grams that a step does not see; of its attributes as well.
        whole: the weight of answers from all modalities together in the loss. `image`: of the picture's alone. All other
            subsets of the modalities share the rest.
        decay: weight decay of the branches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_width: Annotated[int, Field(ge=1, le=1024)] = 64
    text_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    whole: Fraction = 0.4
    image: Fraction = 0.3
    decay: Annotated[float, Field(ge=0)] = 0.01


class Recipe(BaseModel):
    """How to train; see `training/recipes/resnet50.toml` for what each value does.

    `epochs` bounds the run; `--minutes` may end the schedule sooner, never cut it off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    backbone: str
    task: Literal["inspection", "catalog"] = "inspection"
    preprocess: PreprocessSpec
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    augment: Augment = Augment()
    branches: Branches = Branches()
    epochs: Annotated[int, Field(ge=1)] = 20
    batch_size: Annotated[int, Field(ge=2)] = 32
    learning_rate: Positive = 2e-4
    head_pace: Positive = 1.0
    probe_strength: Positive = 0.01
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    warmup: Fraction = 0.05
    frozen: tuple[str, ...] = ()
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98
    patience: Annotated[int, Field(ge=1)] = 8
    tune_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15

    @model_validator(mode="after")
    def _stages_cover_the_run(self) -> Self:
        ends = [stage.until for stage in self.stages]
        if ends != sorted(set(ends)) or ends[-1] != 1.0:
            raise ValueError(f"stages: expected rising 'until' values that end with 1.0, found {ends}")
        last = (self.stages[-1].size_px,) * 2
        if self.preprocess.size_wh != last:
            raise ValueError(
                f"preprocess.size_wh: expected the last stage's size {last}, found {self.preprocess.size_wh}"
            )
        return self

    def size_px(self, progress: float) -> int:
        """The side of a training picture when `progress` (0..1) of the run is over."""
        return next(stage.size_px for stage in self.stages if progress <= stage.until)


def read_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by the name of a built-in one, or by path.

    Raises:
        SettingsError: no such recipe, or one that names the field that is wrong.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in RECIPES.glob("*.toml")))
        raise SettingsError(f"--recipe: expected one of {known} or a .toml file, found '{name_or_path}'")
    try:
        return Recipe.model_validate({"name": path.stem, **tomllib.loads(path.read_text())})
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
