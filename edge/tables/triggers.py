"""What tells a station that a part is there, and the encoder of the belt that carries it on."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.tables.common import Device, DeviceTable, Line, Positive, Register, Unit


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


class FrameTable(DeviceTable):
    """Every frame of the station's first camera is a part: one that a sensor triggers, or a stream."""

    kind: Literal["camera"]


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


TriggerTable = Annotated[
    TimerTable | CounterTable | InputTable | EdgeTable | FrameTable, Field(discriminator="kind")
]
