"""A gate on lines of a GPIO chip: what can be tried without a chip."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import pytest

from edge.actuators.gpio import GpioActuator, Line
from tests.edge.world import simulated
from vision.errors import DeviceError
from vision.inspection.policy import Decision

PULSE_S: Final = 0.05
LINES: Final[dict[Decision, Line]] = {Decision.ACCEPT: 17, Decision.REJECT: "GATE"}
HEART: Final = 27


@dataclass
class FakeLines:
    """What was set, and when."""

    set_to: list[tuple[float, Line, bool]] = field(default_factory=list)
    gone: bool = False
    closed_with: dict[Line, bool] | None = None

    def set(self, line: Line, *, on: bool) -> None:
        if self.gone:
            raise DeviceError(f"GPIO /dev/gpiochip0 line {line}: No such device")
        self.set_to.append((round(asyncio.get_running_loop().time(), 6), line, on))

    def close(self) -> None:
        self.closed_with = self.now

    @property
    def now(self) -> dict[Line, bool]:
        return {line: on for _, line, on in self.set_to}


def at_the_gate(work: Callable[[GpioActuator, FakeLines], Awaitable[None]]) -> FakeLines:
    lines = FakeLines()

    async def opened() -> None:
        gate = GpioActuator(lambda: lines, LINES, pulse_s=PULSE_S, heartbeat=HEART)
        await gate.open()
        lines.set_to.clear()
        await work(gate, lines)
        await gate.close()

    simulated(opened())
    return lines


def test_a_decision_is_a_pulse_on_its_line() -> None:
    async def work(gate: GpioActuator, lines: FakeLines) -> None:
        await gate.drive(Decision.REJECT)
        await asyncio.sleep(2 * PULSE_S)
        await gate.drive(Decision.REVIEW)  # has no line: the gate at rest
        await asyncio.sleep(2 * PULSE_S)
        assert lines.set_to == [(0, "GATE", True), (PULSE_S, "GATE", False)]

    at_the_gate(work)


def test_lines_are_off_before_they_are_let_go() -> None:
    async def work(gate: GpioActuator, _: FakeLines) -> None:
        await gate.drive(Decision.ACCEPT)

    assert at_the_gate(work).closed_with == {17: False, "GATE": False}


def test_the_heartbeat_line_changes_with_each_beat() -> None:
    async def work(gate: GpioActuator, lines: FakeLines) -> None:
        for _ in range(4):
            await gate.beat()
        await gate.beat(taking=False)
        assert [on for _, line, on in lines.set_to if line == HEART] == [True, False, True, False, False]

    at_the_gate(work)


def test_a_pulse_whose_end_was_not_taken_stops_the_heart() -> None:
    async def work(gate: GpioActuator, lines: FakeLines) -> None:
        await gate.drive(Decision.ACCEPT)
        lines.gone = True
        await asyncio.sleep(2 * PULSE_S)
        for move in (gate.beat(), gate.drive(Decision.REJECT)):
            with pytest.raises(DeviceError, match="line 17: No such device"):
                await move
        lines.gone = False
        await gate.open()
        await gate.beat()
        assert not lines.now[17]

    at_the_gate(work)
