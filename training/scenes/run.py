"""A run of `loupe imagery train-scenes`: what was asked, and how it ended.

OUT/run.json        settings, and the result when the run is complete
OUT/metrics.jsonl   one line a report
OUT/checkpoint.pt   where to go on from, until the run is complete
OUT/model/          the pipeline's folder, when the run is complete
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.run import make_folder
from vision.errors import SettingsError
from vision.files import write_json


class SceneResult(BaseModel):
    """How a run ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int
    seconds: float
    images_per_s: float
    loss: float
    processor: str
    layout_steps: int = 0


class SceneRun(BaseModel):
    """What a run is asked for; each of its two parts ends when the first of its minutes and steps is over.

    Attributes:
        code: digest of the code that draws and learns, as `pack.code_digest` gives it.
        scenes: how many are drawn to learn from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    code: str = ""
    seed: int = Field(default=0, ge=0)
    minutes: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1)
    layout_minutes: float | None = Field(default=None, gt=0)
    layout_steps: int | None = Field(default=None, ge=1)
    scenes: int = Field(default=20_000, ge=64)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    threads: int = Field(default=1, ge=1)
    result: SceneResult | None = None

    def begin(self, out: Path) -> None:
        """Make the run's folder, or find the same run there, unfinished.

        Raises:
            SettingsError: the folder holds a finished run, another run, or something else.
            StorageError: it cannot be made.
        """
        path = out / "run.json"
        if path.exists():
            found = _read(path)
            if found.model_copy(update={"result": None}) != self:
                raise SettingsError(
                    f"--out {out}: expected a new folder or the same run, found another run's settings"
                )
            if found.result is not None:
                raise SettingsError(f"--out {out}: this run is finished; give another folder")
            return
        make_folder(out)
        self.write(out)

    def write(self, out: Path) -> None:
        write_json(out / "run.json", self.model_dump(mode="json"))


def _read(path: Path) -> SceneRun:
    try:
        return SceneRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsError(f"{path}: expected a run of train-scenes: {error}") from error
