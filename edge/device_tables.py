"""The devices of a station as `line.toml` describes them: a table a kind of trigger, camera and actuator.

Values only; `edge.drivers` makes the drivers. Relative paths are as written until `placed` says which folder they are relative to.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import override

from vision.address import Address
from vision.inspection.policy import Decision
from vision.toml_file import as_address

Device = Annotated[Address, BeforeValidator(as_address)]
Positive = Annotated[float, Field(gt=0)]
Register = Annotated[int, Field(ge=0, le=65535)]
Unit = Annotated[int, Field(ge=0, le=255)]
Line = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
Topic = Annotated[str, Field(pattern=r"^[^+#\x00]+$", max_length=512)]  # one, and no pattern of many


class Table(BaseModel):
    """A table whose every key is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class DeviceTable(Table):
    def placed(self, folder: Path) -> Self:  # noqa: ARG002  (most kinds name no file)
        """Itself, with relative paths taken from `folder`."""
        return self


class TimerTable(DeviceTable):
    """Parts at an even pace."""

    kind: Literal["timer"]
    period_s: Positive
    parts: Annotated[int, Field(ge=1)] | None = None


class CounterTable(DeviceTable):
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


class InputTable(DeviceTable):
    """A PLC's discrete input, read over and over; a part is one of its edges.

    Attributes:
        poll_s: between readings. A part that is gone before the next one is not seen, and two between which the input was not read at rest
            are one; a counter (`modbus`) loses neither.
        stable_s: a level that stands shorter is a bounce.
    """

    kind: Literal["modbus_input"]
    address: Device
    input_: Annotated[Register, Field(alias="input")]
    edge: Literal["rising", "falling"] = "rising"
    unit: Unit = 1
    poll_s: Positive = 0.005
    stable_s: Annotated[float, Field(ge=0)] = 0.0


class EdgeTable(DeviceTable):
    """A line of a GPIO chip; a part is one of its edges, dated by the kernel.

    Attributes:
        line: its offset, or the name that the device tree gives it.
        stable_s: a level that stands shorter is a bounce.
    """

    kind: Literal["gpio"]
    line: Line
    chip: Path = Path("/dev/gpiochip0")
    edge: Literal["rising", "falling"] = "rising"
    bias: Literal["as_is", "off", "up", "down"] = "as_is"
    active_low: bool = False
    stable_s: Annotated[float, Field(ge=0, le=1)] = 0.0


class EncoderTable(DeviceTable):
    """A PLC's register that counts as the belt moves.

    Attributes:
        words: 16-bit registers that make up the count, the high one first.
        due_counts: from the sensor to the gate.
    """

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    due_counts: Annotated[int, Field(ge=1)]
    table: Literal["holding", "input"] = "holding"
    words: Annotated[int, Field(ge=1, le=2)] = 1
    unit: Unit = 1
    poll_s: Positive = 0.005

    @model_validator(mode="after")
    def _countable(self) -> Self:
        most = (1 << 16 * self.words) // 2 - 1
        if self.due_counts > most:
            raise ValueError(
                f"due_counts: expected at most {most}, half of what {self.words} words count, found {self.due_counts}"
            )
        return self


class FolderTable(DeviceTable):
    """Pictures from a folder, in the order of their names; `again` from the beginning when all were shown."""

    kind: Literal["folder"]
    folder: Path
    again: bool = False

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"folder": folder / self.folder})


class StreamTable(DeviceTable):
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

    @override
    def placed(self, folder: Path) -> Self:
        return self if "://" in self.source else self.model_copy(update={"source": str(folder / self.source)})


def _watched(given: Any, by: str) -> Any:
    """The table as it was given, unless a gate that keeps its state has nobody who notices that the box is dead."""
    if isinstance(given, Mapping) and given.get("heartbeat") is None:
        raise ValueError(
            f"heartbeat: expected a {by}, since an output stays as it was when the box dies, and nobody would move the gate to its safe "
            "state; found none"
        )
    return given


class JournalTable(DeviceTable):
    """Outputs into a file."""

    kind: Literal["journal"]
    path: Path

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"path": folder / self.path})


class PlcGateTable(DeviceTable):
    """A gate on a PLC, which keeps what was written last.

    Attributes:
        pulse_s: how long an output is on.
        heartbeat: a register that goes up while the station lives.
    """

    address: Device
    pulse_s: Positive = 0.05
    heartbeat: Register
    unit: Unit = 1

    @model_validator(mode="before")
    @classmethod
    def _dead_box_is_noticed(cls, given: Any) -> Any:
        return _watched(given, "register that the PLC watches")


class CoilTable(PlcGateTable):
    """A gate on a PLC's coils; a decision without a coil is the gate at rest."""

    kind: Literal["modbus"]
    coils: Annotated[Mapping[Decision, Register], Field(min_length=1)]


class RegisterTable(PlcGateTable):
    """A gate on a PLC's register; a decision without a value is the gate at rest.

    Attributes:
        rest: what it holds between two parts.
    """

    kind: Literal["modbus_register"]
    register_: Annotated[Register, Field(alias="register")]
    values: Annotated[Mapping[Decision, Register], Field(min_length=1)]
    rest: Register = 0

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        told = [*self.values.values(), self.rest]
        if len(set(told)) < len(told):
            raise ValueError(
                f"values: expected values that differ from each other and from rest, {self.rest}, found {told[:-1]}"
            )
        if self.register_ == self.heartbeat:
            raise ValueError(
                f"heartbeat: expected another register than the decision's, {self.register_}, found the same"
            )
        return self


class MqttTable(DeviceTable):
    """A gate that listens to a broker, which tells it when the station is gone.

    Attributes:
        topic: of decisions.
        heartbeat: the topic that says that the station lives; `topic` and `/alive` where it is absent.
        retain: have the broker show the last decision to who listens later.
        password_file: its first line.
        ca: whom the broker's certificate must be signed by, as PEM; implies `tls`.
    """

    kind: Literal["mqtt"]
    broker: Device
    topic: Topic
    heartbeat: Topic | None = None
    retain: bool = False
    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None
    tls: bool = False
    ca: Path | None = None

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(
            update={
                "password_file": None if self.password_file is None else folder / self.password_file,
                "ca": None if self.ca is None else folder / self.ca,
            }
        )

    @model_validator(mode="after")
    def _whose_password(self) -> Self:
        if self.password_file is not None and self.user is None:
            raise ValueError("user: expected whose password password_file holds, found none")
        if self.heartbeat == self.topic:
            raise ValueError(
                f"heartbeat: expected another topic than the decisions', {self.topic}, found the same"
            )
        return self


class LinesTable(DeviceTable):
    """A gate on lines of a GPIO chip; a decision without a line is the gate at rest.

    Attributes:
        lines: by decision; their offsets, or the names that the device tree gives them.
        pulse_s: how long a line is on.
        heartbeat: a line that changes while the station lives.
    """

    kind: Literal["gpio"]
    lines: Annotated[Mapping[Decision, Line], Field(min_length=1)]
    chip: Path = Path("/dev/gpiochip0")
    active_low: bool = False
    pulse_s: Positive = 0.05
    heartbeat: Line

    @model_validator(mode="before")
    @classmethod
    def _dead_box_is_noticed(cls, given: Any) -> Any:
        return _watched(given, "line that a watchdog relay watches")

    @model_validator(mode="after")
    def _lines_differ(self) -> Self:
        taken = [*self.lines.values(), self.heartbeat]
        if len(set(taken)) < len(taken):
            raise ValueError(
                f"lines: expected lines that differ from each other and from the heartbeat's, found {taken}"
            )
        return self


TriggerTable = Annotated[TimerTable | CounterTable | InputTable | EdgeTable, Field(discriminator="kind")]
CameraTable = Annotated[FolderTable | StreamTable, Field(discriminator="kind")]
ActuatorTable = Annotated[
    JournalTable | CoilTable | RegisterTable | MqttTable | LinesTable, Field(discriminator="kind")
]


class RecipeRegisterTable(DeviceTable):
    """A PLC's register that holds the code of the product that runs now."""

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    table: Literal["holding", "input"] = "holding"
    unit: Unit = 1


class OperatorTable(DeviceTable):
    """The code that `loupe edge recipe` last set."""

    kind: Literal["operator"]


RecipeSourceTable = Annotated[RecipeRegisterTable | OperatorTable, Field(discriminator="kind")]
