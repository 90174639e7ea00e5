"""A run's folder: what was asked, what was learned, what it was learned from.

RUN/run.json            settings, labels, roles of the data, result
RUN/metrics.jsonl       one line a report, while training goes on
RUN/checkpoint.pt       where to go on from, until the run is complete
RUN/best.safetensors    the best network so far, until the run is complete
RUN/model.safetensors   the network, when the run is complete
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from training.manifest import Item, Manifest, carve
from training.recipe import Recipe
from vision.errors import SettingsError, StorageError
from vision.files import write_json


class Picture(BaseModel):
    """A picture a run used, and in which role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    label: str
    role: Literal["train", "tune"]
    group: str
    columns: dict[str, str] = {}

    @classmethod
    def of(cls, item: Item, role: Literal["train", "tune"], *, keep: Iterable[str] = ()) -> Self:
        """A manifest's item, with those of its columns that the task learns from."""
        columns = {column: item.columns[column] for column in keep}
        return cls(path=item.path.absolute(), label=item.label, role=role, group=item.group, columns=columns)

    def item(self) -> Item:
        return Item(path=self.path, label=self.label, split="train", group=self.group, columns=self.columns)


class Result(BaseModel):
    """How a run ended: the kept step, its figures on the tune part, and what it took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    steps: int
    measure: str = "AUROC"
    tune_score: float
    tune_loss: float
    seconds: float
    images_per_s: float
    processor: str = ""  # the GPU or processor that it ended on; "" in runs older than the field
    stopped: Literal["complete", "patience"]


def check_fresh(out: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        SettingsError: it does.
    """
    if out.exists() and any(out.iterdir()):
        raise SettingsError(f"--out {out}: expected a new or empty folder, found files")


def make_folder(out: Path) -> None:
    """Make a run's folder, which may be there already and empty.

    Raises:
        SettingsError: it holds something.
        StorageError: it cannot be made.
    """
    check_fresh(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"--out {out}: cannot be made: {error.strerror}") from error


class BaseRun(BaseModel):
    """What `run.json` holds for every task; `labels` are those of the finest level."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    weights: str
    seed: int
    minutes: float | None
    labels: tuple[str, ...]
    data_digest: str
    split_column: str
    pictures: tuple[Picture, ...]
    result: Result | None = None

    def role(self, role: Literal["train", "tune"]) -> tuple[Item, ...]:
        return tuple(picture.item() for picture in self.pictures if picture.role == role)

    def same_as(self, other: "BaseRun") -> bool:
        """Whether both ask for the same, whatever came of it."""
        return self.model_copy(update={"result": None}) == other.model_copy(update={"result": None})

    def write(self, folder: Path) -> None:
        write_json(folder / "run.json", self.model_dump(mode="json"))


class Run(BaseRun):
    """An inspection run; `good` is the label of a good part."""

    good: str


R = TypeVar("R", bound=BaseRun)


def plan_run(
    manifest: Manifest,
    items: tuple[Item, ...],
    recipe: Recipe,
    *,
    good: str,
    weights: str = "warmstart",
    minutes: float | None = None,
    seed: int,
    split_column: str,
) -> Run:
    """A run that learns from `items` of the manifest, less the tune part that is carved out of them by whole groups."""
    kept, tune = carve(items, recipe.tune_fraction, seed=seed)
    pictures = [Picture.of(item, "train") for item in kept] + [Picture.of(item, "tune") for item in tune]
    return Run(
        recipe=recipe,
        weights=weights,
        seed=seed,
        minutes=minutes,
        labels=manifest.labels,
        good=good,
        data_digest=manifest.digest(),
        split_column=split_column,
        pictures=tuple(pictures),
    )


def read_run(folder: Path, kind: type[R]) -> R:
    """Read the `run.json` of a task's run.

    Raises:
        SettingsError: the folder is no run's, or one of another task.
    """
    path, raw = folder / "run.json", _raw(folder)
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error


def task_of(folder: Path) -> str:
    """The task of a run.

    Raises:
        SettingsError: the folder is no run's.
    """
    try:
        return str(json.loads(_raw(folder))["recipe"]["task"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{folder / 'run.json'}: expected a training run: {error!r}") from error


def _raw(folder: Path) -> bytes:
    try:
        return (folder / "run.json").read_bytes()
    except OSError as error:
        raise SettingsError(f"{folder}: expected a training run with run.json, found none") from error
