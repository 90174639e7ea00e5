"""A gate on a PLC's coils or register, against a simulated PLC."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Final

import pytest

from edge.actuators.modbus import Coil, ModbusActuator, Value
from edge.actuators.pulses import Output
from edge.modbus import ModbusLink
from edge.rig.plc import COILS, GATE, HEARTBEAT, VALUES, Plc, plc
from vision.address import Address
from vision.errors import DeviceError
from vision.inspection.policy import Decision

PULSE_S: Final = 0.05
KINDS: Final[Mapping[str, Callable[[ModbusLink], Mapping[Decision, Output]]]] = {
    "coils": lambda link: {Decision(name): Coil(link, coil) for name, coil in COILS.items()},
    "register": lambda link: {Decision(name): Value(link, GATE, value) for name, value in VALUES.items()},
}
Work = Callable[[ModbusActuator], Awaitable[None]]


def at_the_gate(
    gate: Plc,
    kind: str,
    work: Work,
    *,
    heartbeat: int = HEARTBEAT,
    pulse_s: float = PULSE_S,
    only: Container[Decision] = frozenset(Decision),
) -> None:
    async def opened() -> None:
        link = ModbusLink(Address(host="127.0.0.1", port=gate.port))
        outputs = {decision: one for decision, one in KINDS[kind](link).items() if decision in only}
        actuator = ModbusActuator(link, outputs, pulse_s=pulse_s, heartbeat=heartbeat)
        await actuator.open()
        await work(actuator)
        await actuator.close()

    asyncio.run(opened())


@pytest.mark.parametrize("kind", KINDS)
def test_each_decision_is_a_pulse_of_its_own(kind: str) -> None:
    async def work(actuator: ModbusActuator) -> None:
        for decision in Decision:
            await actuator.drive(decision)
            await asyncio.sleep(2 * PULSE_S)

    with plc() as gate:
        at_the_gate(gate, kind, work)
        assert [name for _, name in gate.gate()] == [str(one) for one in Decision]
        assert gate.at_rest()


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_one_pulse_does_not_cut_the_next_one_short(kind: str) -> None:
    async def work(actuator: ModbusActuator) -> None:
        await actuator.drive(Decision.ACCEPT)
        await asyncio.sleep(0.6 * PULSE_S)
        await actuator.drive(Decision.REJECT)
        await asyncio.sleep(3 * PULSE_S)

    with plc() as gate:
        at_the_gate(gate, kind, work)
        began, ended = ([one.at_s for one in gate.moved if one.on is on][-1] for on in (True, False))
        rejected = [one for one in gate.moved if one.coil == COILS["reject"] and one.at_s >= began]
        assert [one.on for one in rejected[:2]] == [True, False]
        assert rejected[1].at_s - rejected[0].at_s > 0.8 * PULSE_S
        assert ended >= rejected[1].at_s
        assert gate.at_rest()


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_passes_on_the_pulse_of_the_one_before_it(kind: str) -> None:
    async def work(actuator: ModbusActuator) -> None:
        await actuator.drive(Decision.ACCEPT)
        await asyncio.sleep(0.2)
        assert not gate.at_rest()
        await actuator.drive(Decision.REJECT)
        assert gate.at_rest()

    with plc() as gate:
        at_the_gate(gate, kind, work, pulse_s=5.0, only=(Decision.ACCEPT, Decision.REVIEW))
        assert [name for _, name in gate.gate()] == ["accept"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_that_a_dead_box_left_on_is_put_to_rest(kind: str) -> None:
    async def die_in_a_pulse(gate: Plc) -> None:
        link = ModbusLink(Address(host="127.0.0.1", port=gate.port))
        await link.open()
        await KINDS[kind](link)[Decision.ACCEPT].on()
        await link.close()

    async def look(_: ModbusActuator) -> None:
        assert gate.at_rest()

    with plc() as gate:
        asyncio.run(die_in_a_pulse(gate))
        assert not gate.at_rest()
        at_the_gate(gate, kind, look)


@pytest.mark.parametrize("kind", KINDS)
def test_closing_waits_for_no_pulse(kind: str) -> None:
    async def leave(actuator: ModbusActuator) -> None:
        await actuator.drive(Decision.ACCEPT)

    with plc() as gate:
        at_the_gate(gate, kind, leave)
        assert len(gate.gate()) == 1
        assert gate.at_rest()


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_the_plc_refuses_is_an_error_that_names_it(kind: str) -> None:
    async def work(actuator: ModbusActuator) -> None:
        gate.refuses = True
        place = "coil 1" if kind == "coils" else f"register {GATE}"
        with pytest.raises(DeviceError, match=rf"PLC 127.*: write {place}: refused with exception 4"):
            await actuator.drive(Decision.REJECT)
        await actuator.beat()  # the heart goes on
        await actuator.beat(taking=False)  # and stands still

    with plc() as gate:
        at_the_gate(gate, kind, work)
        assert gate.gate() == []
        assert gate.beats == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pulse_whose_end_was_not_taken_is_told_until_the_gate_is_opened_anew(kind: str) -> None:
    async def work(actuator: ModbusActuator) -> None:
        await actuator.drive(Decision.ACCEPT)
        await asyncio.to_thread(gate.stop)
        await asyncio.sleep(2 * PULSE_S)
        with pytest.raises(DeviceError):
            await actuator.beat()
        await asyncio.to_thread(gate.start)
        await actuator.open()
        await actuator.beat()

    with plc() as gate:
        at_the_gate(gate, kind, work)
        assert gate.at_rest()
