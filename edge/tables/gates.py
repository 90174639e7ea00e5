"""What decisions move. A gate that keeps its state when the box dies has somebody who notices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from edge.tables.brokers import BrokerTable
from edge.tables.common import Device, DeviceTable, Line, Positive, Register, Topic, Unit
from vision.inspection.policy import Decision


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


class MqttTable(BrokerTable):
    """A gate that listens to a broker, which tells it when the station is gone.

    Attributes:
        topic: of decisions.
        heartbeat: the topic that says that the station lives; `topic` and `/alive` where it is absent.
        retain: have the broker show the last decision to who listens later.
    """

    kind: Literal["mqtt"]
    topic: Topic
    heartbeat: Topic | None = None
    retain: bool = False

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
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


ActuatorTable = Annotated[
    JournalTable | CoilTable | RegisterTable | MqttTable | LinesTable, Field(discriminator="kind")
]
