"""Lines of a GPIO chip through the kernel's character device. The one file that knows libgpiod's bindings (extra `gpio`).

Values are logical: a line that is active low is "on" at 0 volts.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

import gpiod
from gpiod.line import Bias, Clock, Direction, Edge, Value

from edge.actuators.gpio import Line
from edge.triggers.edges import EdgeName
from edge.triggers.gpio import Seen
from vision.errors import DeviceError

BiasName = Literal["as_is", "off", "up", "down"]
_CONSUMER: Final = "loupe"
_BIAS: Final = {"as_is": Bias.AS_IS, "off": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_EDGE: Final = {"rising": Edge.RISING, "falling": Edge.FALLING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A line whose edges are parts.

    Attributes:
        stable_s: a level that stands shorter is a bounce; the kernel sees to it.
    """

    chip: Path
    line: Line
    edge: EdgeName = "rising"
    bias: BiasName = "as_is"
    active_low: bool = False
    stable_s: float = 0.0

    def request(self) -> "InputLine":
        """Take the line.

        Raises:
            DeviceError: there is no such chip or line, or another program has it.
        """
        settings = gpiod.LineSettings(
            direction=Direction.INPUT,
            edge_detection=_EDGE[self.edge],
            bias=_BIAS[self.bias],
            active_low=self.active_low,
            debounce_period=timedelta(seconds=self.stable_s),
            event_clock=Clock.MONOTONIC,
        )
        return InputLine(f"GPIO {self.chip} line {self.line}", _request(self.chip, (self.line,), settings))


class InputLine:
    """A line that was taken; `edge.triggers.gpio.EdgeSource`."""

    def __init__(self, name: str, request: gpiod.LineRequest) -> None:
        self.name, self._request = name, request

    def fileno(self) -> int:
        return int(self._request.fd)

    def read(self) -> list[Seen]:
        """Edges since the last reading; waits for one if there is none.

        Raises:
            DeviceError: the chip is gone.
        """
        try:
            events = self._request.read_edge_events()
        except OSError as error:
            raise DeviceError(f"{self.name}: {error.strerror}") from error
        return [Seen(at_ns=one.timestamp_ns, number=one.line_seqno) for one in events]

    def close(self) -> None:
        self._request.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Lines that are driven."""

    chip: Path
    lines: tuple[Line, ...]
    active_low: bool = False

    def request(self) -> "OutputLines":
        """Take the lines, all of them off.

        Raises:
            DeviceError: there is no such chip or line, or another program has it.
        """
        settings = gpiod.LineSettings(
            direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=self.active_low
        )
        return OutputLines(f"GPIO {self.chip}", _request(self.chip, self.lines, settings))


class OutputLines:
    """Lines that were taken; `edge.actuators.gpio.LineSink`."""

    def __init__(self, name: str, request: gpiod.LineRequest) -> None:
        self.name, self._request = name, request

    def set(self, line: Line, *, on: bool) -> None:
        """Raises DeviceError when the chip is gone."""
        try:
            self._request.set_value(line, Value.ACTIVE if on else Value.INACTIVE)
        except OSError as error:
            raise DeviceError(f"{self.name} line {line}: {error.strerror}") from error

    def close(self) -> None:
        self._request.release()


def _request(chip: Path, lines: tuple[Line, ...], settings: gpiod.LineSettings) -> gpiod.LineRequest:
    try:
        return gpiod.request_lines(str(chip), consumer=_CONSUMER, config={lines: settings})
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DeviceError(f"GPIO {chip} line {', '.join(map(str, lines))}: {why}") from error
