"""A world for a station, in simulated time: devices that do as a test tells them, and an event loop whose clock leaps."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from typing_extensions import override

from edge.ledger import Ended, Found, Outcome
from edge.parts import Finished, Judge, Judged, Step
from edge.ports import Devices, Pulse, Shot
from edge.rules import Rules
from edge.station import Station
from vision.errors import DeviceError, NotFoundError, StorageError
from vision.inspection.policy import Decision, Reason, Verdict

Result = TypeVar("Result")
RULES: Final = Rules(due_s=0.25, fail_safe=Decision.REJECT)


class _Leaping(selectors.DefaultSelector):
    """Never waits: what the loop would have slept is added to its clock. Work in threads is waited for, and takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.busy = 0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        idle = timeout is None or timeout > 0  # else something waits to be run
        ready = super().select(None if self.busy and idle else 0)
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    @override
    def time(self) -> float:
        return self._leaping.now

    @override
    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # of any function
        self._leaping.busy += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self._leaping.busy -= 1


def simulated(work: Coroutine[Any, Any, Result]) -> Result:
    """Run in simulated time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


@dataclass
class FakeTrigger:
    """Pulses at given moments; an exception among them is raised, and the rest comes after it is opened again."""

    script: Sequence[Pulse | Exception]
    _next: int = 0

    async def open(self) -> None: ...

    async def pulses(self) -> AsyncGenerator[Pulse, None]:
        while self._next < len(self.script):
            one = self.script[self._next]
            self._next += 1
            if isinstance(one, Exception):
                raise one
            await asyncio.sleep(one.at_s - asyncio.get_running_loop().time())
            yield one

    async def close(self) -> None: ...


async def befall(one: object) -> None:
    """What a script holds for a turn: an exception is raised, seconds are slept."""
    if isinstance(one, Exception):
        raise one
    if isinstance(one, float):
        await asyncio.sleep(one)


@dataclass
class FakeCamera:
    """Shots by turn: a shot, an error, or seconds that it takes before the next shot."""

    script: dict[int, Shot | Exception | float] = field(default_factory=dict)
    opened: int = 0
    _turn: int = 0

    async def open(self) -> None:
        self.opened += 1

    async def capture(self, pulse: Pulse) -> Shot:
        turn, self._turn = self._turn, self._turn + 1
        one = self.script.get(turn)
        await befall(one)
        return one if isinstance(one, Shot) else Shot(image=bytes([turn % 256]), frame_id=turn + 1)

    async def close(self) -> None: ...


@dataclass
class FakeActuator:
    """Keeps when it was driven, and what for; `script` holds what goes wrong, by turn, `gone` from when until when nobody answers."""

    script: dict[int, Exception | float] = field(default_factory=dict)
    gone: Sequence[tuple[float, float]] = ()
    driven: list[tuple[float, Decision]] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    rested: bool = False
    _turn: int = 0

    async def open(self) -> None:
        self._answer()

    async def drive(self, decision: Decision) -> None:
        self._answer()
        turn, self._turn = self._turn, self._turn + 1
        one = self.script.get(turn)
        await befall(one)
        self.driven.append((round(asyncio.get_running_loop().time(), 6), decision))

    async def beat(self, *, taking: bool = True) -> None:
        self._answer()
        if taking:
            self.beats.append(asyncio.get_running_loop().time())

    async def close(self) -> None:
        self.rested = True

    def _answer(self) -> None:
        now = asyncio.get_running_loop().time()
        if any(since <= now < until for since, until in self.gone):
            raise DeviceError("MQTT broker: expected an MQTT broker, found Connection refused")


@dataclass
class FakeEncoder:
    """A belt that changes its speed at given moments, and its encoder.

    Args:
        speeds: (from when, counts a second), the first from 0.
        gone: (from when, until when) nobody answers.
        leaps: (when, by how many counts) the register is set anew.
    """

    speeds: Sequence[tuple[float, float]] = ((0.0, 1000.0),)
    gone: Sequence[tuple[float, float]] = ()
    leaps: Sequence[tuple[float, int]] = ()
    begins_at: int = 0
    modulo: int = 65536
    closed: bool = False

    async def open(self) -> None:
        await self.read()

    async def read(self) -> int:
        now = asyncio.get_running_loop().time()
        if any(since <= now < until for since, until in self.gone):
            raise DeviceError("PLC 1: no answer")
        leapt = sum(by for at, by in self.leaps if at <= now)
        return (int(self.begins_at + self.at(now)) + leapt) % self.modulo

    def at(self, moment: float) -> float:
        """Where the belt truly is, in counts from its beginning."""
        ends = [since for since, _ in self.speeds[1:]] + [float("inf")]
        return sum(
            speed * max(0.0, min(moment, until) - since)
            for (since, speed), until in zip(self.speeds, ends, strict=True)
        )

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeBook:
    """A ledger in memory, whose rows take `slow_s` to be kept, and which refuses after `takes` changes."""

    slow_s: float = 0.0
    takes: int | None = None
    last_counter: int | None = None
    set_aside: Path | None = None
    begun: dict[int, int | None] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)
    closed: bool = False

    async def start(self) -> Found:
        return Found(last_part=0, last_counter=self.last_counter, cut_short=0, set_aside=self.set_aside)

    def begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]:
        part = len(self.begun) + 1
        self.begun[part] = counter
        return part, self._promise()

    def end(self, ended: Ended) -> asyncio.Future[None]:
        assert ended.part in self.begun
        assert ended.part not in self.ended, "one outcome a part"
        self.ended[ended.part] = ended
        return self._promise()

    async def stop(self) -> None:
        self.closed = True

    def _promise(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[None] = loop.create_future()

        def keep() -> None:
            if promise.done():
                return
            if self.takes is not None:
                self.takes -= 1
                if self.takes < 0:
                    promise.set_exception(StorageError("the disk is full"))
                    return
            promise.set_result(None)

        loop.call_later(self.slow_s, keep)
        promise.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return promise


def judged(decision: Decision = Decision.ACCEPT) -> Judged:
    return Judged(
        verdict=Verdict(decision=decision, reason=Reason.CONFIDENT, detail="", probability=0.5),
        bundle="sha256:1",
    )


@dataclass
class FakeRecipe:
    """Codes by turn; an error among them is raised, seconds are how long it takes to say 1."""

    script: Sequence[int | Exception | float]
    _turn: int = 0

    async def open(self) -> None: ...

    async def code(self) -> int:
        one = self.script[self._turn]
        self._turn += 1
        await befall(one)
        return one if isinstance(one, int) else 1

    async def close(self) -> None: ...


@dataclass
class _Judges:
    """One model for every product but 404; it hears which one a part is in its bundle's name."""

    judge: Judge

    def choose(self, recipe: int | None) -> Judge:
        if recipe == 404:
            raise NotFoundError("recipe: expected one of 1, 2, found 404")
        if recipe is None:
            return self.judge
        return lambda shots: replace(self.judge(shots), bundle=f"recipe {recipe}")


@dataclass
class World:
    """A station with everything around it; `run` until its trigger has no more."""

    pulses: Sequence[Pulse | Exception]
    camera: FakeCamera = field(default_factory=FakeCamera)
    others: Sequence[FakeCamera] = ()  # that see each part as well
    recipe: "FakeRecipe | None" = None
    actuator: FakeActuator = field(default_factory=FakeActuator)
    book: FakeBook = field(default_factory=FakeBook)
    judge: Judge = lambda _: judged()
    rules: Rules = RULES
    encoder: "FakeEncoder | None" = None
    alarms: list[str] = field(default_factory=list)
    steps: list[tuple[int, Step]] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)

    def run(self) -> "World":
        simulated(self._station_runs())
        return self

    @property
    def outcomes(self) -> list[tuple[Outcome, str]]:
        """Each part's outcome and reason, in the order of the parts."""
        return [
            (self.book.ended[part].outcome, self.book.ended[part].reason) for part in sorted(self.book.begun)
        ]

    async def _station_runs(self) -> None:
        station = Station(
            "cell",
            Devices(
                trigger=FakeTrigger(self.pulses),
                cameras=(self.camera, *self.others),
                actuator=self.actuator,
                recipe=self.recipe,
                encoder=self.encoder,
            ),
            judges=_Judges(self.judge),
            book=self.book,
            rules=self.rules,
            on_end=self.finished.append,
            on_step=lambda part, step: self.steps.append((part, step)),
            alarm=self.alarms.append,
        )
        await station.run(asyncio.Event())


def lost(what: str = "unplugged") -> DeviceError:
    return DeviceError(f"camera 1: {what}")
