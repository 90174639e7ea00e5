"""A PLC beside a conveyor, simulated: a sensor, a part counter, an encoder, a gate, a heartbeat register, and a recipe's code. For trials, tests and benchmarks.

    python -m edge.rig.plc [--port 5020] [--period-s 0.2]

keeps a conveyor moving and says on stdout when parts pass and the gate moves (needs the extra `modbus`). The gate listens to three coils and
to one register, which holds 1, 2 or 3 for accept, reject and review, and 0 at rest.
"""

import argparse
import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.rig.belt import Belt
from vision.errors import DeviceError

SENSOR: Final = 0  # a discrete input, on while a part lies before it
COUNTER: Final = 0
ENCODER: Final = 4
HEARTBEAT: Final = 10
GATE: Final = 20
RECIPE: Final = 11
COILS: Final = {"accept": 0, "reject": 1, "review": 2}
VALUES: Final = {name: coil + 1 for name, coil in COILS.items()}  # of the gate's register
_WRITE_COIL: Final = 5
_WRITE_REGISTER: Final = 6
_READ_INPUTS: Final = 2
_READ_REGISTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """A coil was written, or the gate's register to its value less one.

    Attributes:
        at_count: where the belt was.
    """

    at_s: float
    coil: int
    on: bool
    at_count: float


class Plc:
    """A PLC in a thread of its own, on a free port of the loopback; what it counted outlives `stop`.

    Args:
        covers_s: how long a part lies before the sensor.
        belt_at: the encoder's count to begin with.
    """

    def __init__(self, port: int = 0, *, covers_s: float = 0.04, belt_at: float = 0.0) -> None:
        self.port = port
        self.belt = Belt(time.monotonic, at=belt_at)
        self._covers_s = covers_s
        self.parts: list[float] = []  # when each passed the sensor
        self.passed_at: list[float] = []  # and where the belt was
        self.moved: list[Moved] = []
        self.beats: list[int] = []  # the heart's numbers, as they changed
        self.reads = 0
        self.refuses = False
        self._loop: asyncio.AbstractEventLoop
        self._server: ModbusTcpServer
        self._thread: threading.Thread

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise DeviceError(f"no Modbus server could be opened on port {self.port}")

    def stop(self) -> None:
        ending = self._server.shutdown()  # type: ignore[no-untyped-call]
        asyncio.run_coroutine_threadsafe(ending, self._loop).result(10)
        self._thread.join(10)

    def part(self) -> None:
        """One more part passes the sensor."""
        asyncio.run_coroutine_threadsafe(self._count(), self._loop).result(10)

    def convey(self, parts: int, period_s: float) -> None:
        """Parts one after the other, on an even grid."""
        asyncio.run_coroutine_threadsafe(self._convey(parts, period_s), self._loop).result()

    def run_product(self, code: int) -> None:
        """From now on parts are of this product."""
        ending = self._server.async_setValues(1, 16, RECIPE, [code])
        asyncio.run_coroutine_threadsafe(ending, self._loop).result(10)

    def gate(self) -> list[tuple[float, str]]:
        """When each pulse began, and for which decision."""
        names = {coil: name for name, coil in COILS.items()}
        return [(one.at_s, names[one.coil]) for one in self.moved if one.on]

    def at_rest(self) -> bool:
        return not self._on()

    def set_register(self, register: int, value: int) -> None:
        """As the PLC's own program would."""
        setting = self._server.async_setValues(1, 16, register, [value])
        asyncio.run_coroutine_threadsafe(setting, self._loop).result(10)

    async def _convey(self, parts: int, period_s: float) -> None:
        started = self._loop.time()
        for number in range(parts):
            await asyncio.sleep(started + number * period_s - self._loop.time())
            await self._count()

    async def _count(self) -> None:
        self.parts.append(time.monotonic())
        self.passed_at.append(self.belt.at())
        await self._server.async_setValues(1, 16, COUNTER, [len(self.parts) % 65536])

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        words = [SimData(0, count=32, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(1, simdata=(bits, bits, words, words), action=self._accessed)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        await self._server.async_setValues(1, 16, COUNTER, [len(self.parts) % 65536])
        ready.set()
        await self._server.serving

    async def _accessed(
        self, code: int, start: int, address: int, count: int, now: Any, new: Any
    ) -> ExcCodes | None:
        if code == _READ_INPUTS:
            self.reads += 1
            now[SENSOR - start] = self._covered() << SENSOR
        elif code == _READ_REGISTERS:
            self.reads += address == COUNTER
            if address <= ENCODER < address + count:
                now[ENCODER - start] = int(self.belt.at()) % 65536
        elif new is None:  # a write reads back what it wrote
            pass
        elif self.refuses and code in {_WRITE_COIL, _WRITE_REGISTER} and address != HEARTBEAT and new[0]:
            return ExcCodes.DEVICE_FAILURE
        elif code == _WRITE_COIL:
            self._move(address, on=bool(new[0]))
        elif code == _WRITE_REGISTER and address == GATE:
            self._turn(new[0])
        elif code == _WRITE_REGISTER and address == HEARTBEAT and new[0] != (self.beats or [0])[-1]:
            self.beats.append(new[0])
        return None

    def _covered(self) -> bool:
        return bool(self.parts) and time.monotonic() - self.parts[-1] < self._covers_s

    def _turn(self, value: int) -> None:
        """The gate's register holds one value: whatever it held is over."""
        for coil in self._on() - {value - 1}:
            self._move(coil, on=False)
        if value:
            self._move(value - 1, on=True)

    def _on(self) -> set[int]:
        last = {one.coil: one.on for one in self.moved}
        return {coil for coil, on in last.items() if on}

    def _move(self, coil: int, *, on: bool) -> None:
        self.moved.append(Moved(time.monotonic(), coil, on, self.belt.at()))


@contextmanager
def plc(*, covers_s: float = 0.04, belt_at: float = 0.0) -> Iterator[Plc]:
    """One that runs until the block ends."""
    one = Plc(covers_s=covers_s, belt_at=belt_at)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def main() -> None:
    """Keep a conveyor moving until interrupted."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--port", type=int, default=5020)
    options.add_argument("--period-s", type=float, default=0.2, help="between two parts")
    given = options.parse_args()
    sys.stdout.write(
        f"PLC on 127.0.0.1:{given.port}: sensor on discrete input {SENSOR}; holding registers: counter {COUNTER}, encoder {ENCODER}, "
        f"heartbeat {HEARTBEAT}, recipe {RECIPE}, gate {GATE} ({VALUES}); coils {COILS}\n"
    )
    sys.stdout.flush()
    one, said, ending = Plc(given.port), 0, threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    one.start()
    while not ending.wait(given.period_s):
        one.part()
        for moved in one.moved[said:]:
            sys.stdout.write(
                f"{moved.at_s - one.parts[0]:9.3f} s: coil {moved.coil} {'on' if moved.on else 'off'}\n"
            )
        said = len(one.moved)
        sys.stdout.flush()
    one.stop()


if __name__ == "__main__":
    main()
