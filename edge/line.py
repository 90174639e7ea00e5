"""What a box at the line is told: one TOML file, `line.toml`, with a table a station.

`read_line` gives one frozen value; it reaches no device. Relative paths are relative to the file's folder. A file under which a dead box
would let parts pass unjudged is refused.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.device_tables import ActuatorTable, CameraTable, CoilTable, Positive, Table, TriggerTable
from vision.inspection.inspect import OnDrift
from vision.inspection.policy import Decision
from vision.toml_file import read_model


class StationTable(Table):
    """One camera, one gate, one model.

    Attributes:
        name: of its folder below `data`, and of its results.
        due_s: from the trigger to the gate.
        lead_s: a part that is not decided so long before it is due is a timeout.
        late_s: an output later than this misses its part: a timeout, too.
        fail_safe: what happens to a part that nobody judged in time.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    bundle: Path
    due_s: Positive
    lead_s: Positive = 0.01
    late_s: Positive = 0.01
    fail_safe: Literal[Decision.REJECT, Decision.REVIEW] = Decision.REJECT
    trigger: TriggerTable
    camera: CameraTable
    actuator: ActuatorTable
    max_parts: Annotated[int, Field(ge=1, le=10_000)] = 64
    drift_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    on_drift: OnDrift = "review_all"

    def placed(self, folder: Path) -> Self:
        """Itself, with relative paths taken from `folder`."""
        return self.model_copy(
            update={
                "bundle": folder / self.bundle,
                "trigger": self.trigger.placed(folder),
                "camera": self.camera.placed(folder),
                "actuator": self.actuator.placed(folder),
            }
        )

    @model_validator(mode="after")
    def _time_to_decide(self) -> Self:
        if self.lead_s >= self.due_s:
            raise ValueError(f"lead_s: expected less than due_s, {self.due_s}, found {self.lead_s}")
        return self

    @model_validator(mode="after")
    def _dead_box_is_safe(self) -> Self:
        gate = self.actuator
        if isinstance(gate, CoilTable) and self.fail_safe in gate.coils and gate.heartbeat is None:
            raise ValueError(
                f"actuator.heartbeat: expected a register that the PLC watches, since '{self.fail_safe}' needs a coil and a dead box "
                "cannot pulse it; or give a coil to 'accept' and none to the fail-safe decision; found neither"
            )
        return self


class Line(Table):
    """The whole box.

    Attributes:
        data: where ledgers are kept, a folder a station.
        reserve_mib: of disk, allocated for each ledger in advance.
    """

    data: Path = Path("loupe-data")
    reserve_mib: Annotated[int, Field(ge=1, le=4096)] = 16
    station: Annotated[tuple[StationTable, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.station]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"station: expected names that differ, found '{twice[0]}' twice")
        return self


def read_line(path: Path) -> Line:
    """Read a line's file.

    Raises:
        SettingsError: naming the file, the field, what was expected and what was found.
    """
    line = read_model(Line, path, {})
    folder = path.absolute().parent
    return line.model_copy(
        update={
            "data": folder / line.data,
            "station": tuple(one.placed(folder) for one in line.station),
        }
    )
