"""What a box at the line is told: one TOML file, `line.toml`, with a table a station.

`read_line` gives one frozen value; it reaches no device. Relative paths are relative to the file's folder. A file under which a dead box
would let parts pass unjudged is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vision.address import Address
from vision.inspection.inspect import OnDrift
from vision.inspection.policy import Decision
from vision.toml_file import as_address, read_model

Device = Annotated[Address, BeforeValidator(as_address)]
Positive = Annotated[float, Field(gt=0)]
Register = Annotated[int, Field(ge=0, le=65535)]
Unit = Annotated[int, Field(ge=0, le=255)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class TimerTable(_Table):
    """Parts at an even pace."""

    kind: Literal["timer"]
    period_s: Positive
    parts: Annotated[int, Field(ge=1)] | None = None


class CounterTable(_Table):
    """A PLC's register that goes up by one a part.

    Attributes:
        words: 16-bit registers that make up the counter, the high one first.
        poll_s: between readings; a part is seen so much late at most.
    """

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    table: Literal["holding", "input"] = "holding"
    words: Annotated[int, Field(ge=1, le=2)] = 1
    unit: Unit = 1
    poll_s: Positive = 0.005


class FolderTable(_Table):
    """Pictures from a folder, in the order of their names; `again` from the beginning when all were shown."""

    kind: Literal["folder"]
    folder: Path
    again: bool = False


class StreamTable(_Table):
    """A camera that streams: `rtsp://…`, `/dev/videoN`, or a video file shown at its own pace.

    Attributes:
        latency_s: from exposure to arrival; the first frame that arrives so long after the trigger is the part's.
        stall_s: without a frame for so long, the stream is opened anew.
        again: show a file from the beginning when it ends.
    """

    kind: Literal["stream"]
    source: Annotated[str, Field(min_length=1, repr=False)]
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    stall_s: Positive = 2.0
    again: bool = False


class JournalTable(_Table):
    """Outputs into a file."""

    kind: Literal["journal"]
    path: Path


class CoilTable(_Table):
    """A gate on a PLC's coils; a decision without a coil is the gate at rest.

    Attributes:
        heartbeat: a register that goes up while the station lives.
    """

    kind: Literal["modbus"]
    address: Device
    coils: Annotated[Mapping[Decision, Register], Field(min_length=1)]
    pulse_s: Positive = 0.05
    heartbeat: Register | None = None
    unit: Unit = 1


TriggerTable = Annotated[TimerTable | CounterTable, Field(discriminator="kind")]
CameraTable = Annotated[FolderTable | StreamTable, Field(discriminator="kind")]
ActuatorTable = Annotated[JournalTable | CoilTable, Field(discriminator="kind")]


class StationTable(_Table):
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


class Line(_Table):
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
            "station": tuple(_placed(one, folder) for one in line.station),
        }
    )


def _placed(station: StationTable, folder: Path) -> StationTable:
    """Its paths as seen from anywhere."""
    camera, actuator = station.camera, station.actuator
    if isinstance(camera, FolderTable):
        camera = camera.model_copy(update={"folder": folder / camera.folder})
    elif "://" not in camera.source:
        camera = camera.model_copy(update={"source": str(folder / camera.source)})
    if isinstance(actuator, JournalTable):
        actuator = actuator.model_copy(update={"path": folder / actuator.path})
    return station.model_copy(
        update={"bundle": folder / station.bundle, "camera": camera, "actuator": actuator}
    )
