"""Lines of a real GPIO chip, simulated by the kernel's module gpio-sim; skipped where the kernel has none."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from edge.actuators.gpio import GpioActuator
from edge.gpio import Input, Outputs
from edge.ports import Pulse
from edge.triggers.gpio import GpioTrigger
from vision.errors import DeviceError
from vision.inspection.policy import Decision

SIMULATED: Final = Path("/sys/kernel/config/gpio-sim")
needs_gpio_sim = pytest.mark.skipif(
    not os.access(SIMULATED, os.W_OK),
    reason="needs root and the kernel module gpio-sim (modprobe gpio-sim; mount configfs)",
)


@dataclass(frozen=True)
class Chip:
    """A chip whose inputs are pulled, and whose outputs are looked at, through sysfs."""

    device: Path
    lines: Path

    def pull(self, line: int, *, up: bool) -> None:
        (self.lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")

    def value(self, line: int) -> int:
        return int((self.lines / f"sim_gpio{line}" / "value").read_text())


@pytest.fixture
def chip() -> Iterator[Chip]:
    made = SIMULATED / "loupe-test"
    made.mkdir()
    bank = made / "bank0"
    bank.mkdir()
    (bank / "num_lines").write_text("8")
    (made / "live").write_text("1")
    device, name = (made / "dev_name").read_text().strip(), (bank / "chip_name").read_text().strip()
    try:
        yield Chip(device=Path("/dev") / name, lines=Path("/sys/devices/platform") / device / name)
    finally:
        (made / "live").write_text("0")
        bank.rmdir()
        made.rmdir()


@needs_gpio_sim
def test_an_edge_on_a_line_is_a_part_at_its_moment(chip: Chip) -> None:
    async def work() -> None:
        trigger, loop = GpioTrigger(Input(chip=chip.device, line=3).request), asyncio.get_running_loop()
        await trigger.open()
        moments, found = list[float](), list[Pulse]()
        for up in (True, False, True):
            moments.append(loop.time())
            chip.pull(3, up=up)
        await asyncio.sleep(0.05)
        async with aclosing(trigger.pulses()) as pulses:
            async for pulse in pulses:
                found.append(pulse)
                if len(found) == 2:
                    break
        assert [one.at_s for one in found] == pytest.approx([moments[0], moments[2]], abs=0.01)
        await trigger.close()

    asyncio.run(work())


@needs_gpio_sim
def test_a_decision_is_a_pulse_on_its_line_and_closing_ends_it(chip: Chip) -> None:
    async def work() -> None:
        lines = {Decision.REJECT: 1}
        gate = GpioActuator(Outputs(chip=chip.device, lines=(1, 2)).request, lines, pulse_s=0.05, heartbeat=2)
        await gate.open()
        await gate.drive(Decision.REJECT)
        await gate.beat()
        assert (chip.value(1), chip.value(2)) == (1, 1)
        await asyncio.sleep(0.1)
        assert chip.value(1) == 0
        await gate.drive(Decision.REJECT)
        with pytest.raises(DeviceError, match=f"GPIO {chip.device} line 1, 2: Device or resource busy"):
            Outputs(chip=chip.device, lines=(1, 2)).request()
        await gate.close()
        assert chip.value(1) == 0

    asyncio.run(work())


@pytest.mark.parametrize("kind", ["input", "outputs"])
def test_a_chip_that_is_not_there_is_named(kind: str) -> None:
    chip = Path("/dev/none")
    take = Input(chip=chip, line=3).request if kind == "input" else Outputs(chip=chip, lines=(3,)).request
    with pytest.raises(DeviceError, match="GPIO /dev/none line 3: No such file or directory"):
        take()
