"""A PLC beside a conveyor, simulated: a part counter, a gate on three coils, a heartbeat register, and a recipe's code. For trials, tests and benchmarks.

    python -m edge.rig.plc [--port 5020] [--period-s 0.2]

keeps a conveyor moving and says on stdout when parts pass and the gate moves (needs the extra `modbus`).
"""

import argparse
import asyncio
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

from vision.errors import DeviceError

COUNTER: Final = 0
HEARTBEAT: Final = 10
RECIPE: Final = 11
COILS: Final = {"accept": 0, "reject": 1, "review": 2}
_WRITE_COIL: Final = 5
_WRITE_REGISTER: Final = 6
_READ_REGISTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """A coil was written."""

    at_s: float
    coil: int
    on: bool


class Plc:
    """A PLC in a thread of its own, on a free port of the loopback; what it counted outlives `stop`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.parts: list[float] = []  # when each passed the sensor
        self.moved: list[Moved] = []
        self.beats: list[int] = []
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
        last = {one.coil: one.on for one in self.moved}
        return not any(last.values())

    async def _convey(self, parts: int, period_s: float) -> None:
        started = self._loop.time()
        for number in range(parts):
            await asyncio.sleep(started + number * period_s - self._loop.time())
            await self._count()

    async def _count(self) -> None:
        self.parts.append(time.monotonic())
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
        self, code: int, _start: int, address: int, _count: int, _now: Any, new: Any
    ) -> ExcCodes | None:
        if code == _READ_REGISTERS and address == COUNTER:
            self.reads += 1
        elif new is None:  # a write reads back what it wrote
            pass
        elif code == _WRITE_COIL:
            if self.refuses and new[0]:
                return ExcCodes.DEVICE_FAILURE
            self.moved.append(Moved(time.monotonic(), address, bool(new[0])))
        elif code == _WRITE_REGISTER and address == HEARTBEAT:
            self.beats.append(new[0])
        return None


@contextmanager
def plc() -> Iterator[Plc]:
    one = Plc()
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
        f"PLC on 127.0.0.1:{given.port}: counter in holding register {COUNTER}, coils {COILS}, heartbeat in register {HEARTBEAT}, recipe in register {RECIPE}\n"
    )
    one, said = Plc(given.port), 0
    one.start()
    try:
        while True:
            one.convey(1, given.period_s)
            time.sleep(given.period_s)
            for moved in one.moved[said:]:
                sys.stdout.write(
                    f"{moved.at_s - one.parts[0]:9.3f} s: coil {moved.coil} {'on' if moved.on else 'off'}\n"
                )
            said = len(one.moved)
            sys.stdout.flush()
    except KeyboardInterrupt:
        one.stop()


if __name__ == "__main__":
    main()
