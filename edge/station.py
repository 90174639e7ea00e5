"""A station: trigger, capture, judge, wait for the gate, drive it, record. Every trigger gets a row and an outcome.

Pure over `ports`: it knows no device, no model and no file. Parts overlap: while one travels to the gate, the next are photographed and
judged, one after the other. Whatever goes wrong with a part, its output is the fail-safe one, in time, and its row says why:

    begun ── captured ── judged ── row kept ── due ── driven ── ended
      └─────────┴──────────┴─────────┴── timeout or fault: fail-safe output at the due time ──┘

A verdict's output moves only for a part whose row is on the disk; the fail-safe one moves whatever the disk does.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from edge.counting import PartCount
from edge.due import Arrival, due_by
from edge.eyes import Eyes
from edge.ledger import Ended, Found, Outcome
from edge.link import Health, Link
from edge.parts import Finished, Judge, Judged, Judges, Step
from edge.ports import Devices, Pulse, Shot
from edge.rules import Rules
from vision.errors import DeviceError, InputError, LoupeError, StorageError
from vision.inspection.policy import Decision

_RETRY_S: Final = (0.1, 5.0)  # after a device was lost: the first pause, doubling up to the last


class Book(Protocol):
    """The ledger as a station sees it; `edge.writer.LedgerWriter` is one."""

    async def start(self) -> Found: ...
    def begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]: ...
    def end(self, ended: Ended) -> asyncio.Future[None]: ...
    async def stop(self) -> None: ...


@dataclass(slots=True)
class _Way:
    """A part's way so far."""

    part: int
    pulse: Pulse
    kept: asyncio.Future[None]
    step: Step = Step.BEGUN
    moments: dict[str, float] = field(default_factory=dict)
    shots: tuple[Shot, ...] = ()
    judge: Judge | None = None
    judged: Judged | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What is to happen to a part, and the row's words for it."""

    decision: Decision
    ended: Ended


class _NoRecipeError(LoupeError):
    """Nobody says which product runs, or it has no recipe."""


class Station:
    """The cameras that look at a part, one gate, and the models.

    Args:
        judges: what they choose is called in a thread of its own, one part at a time.
        on_step: told, on the event loop, how far each part has come.
        on_end: told, on the event loop, what became of each part once its output moved; it must not wait for anything.
        alarm: told what a person must look at.

    Attributes:
        beaten_s: when its loop last came round, by the loop's clock; a station that stands still stops counting here.
        refusals: of the ledger.
    """

    def __init__(
        self,
        name: str,
        devices: Devices,
        *,
        judges: Judges,
        book: Book,
        rules: Rules,
        on_step: Callable[[int, Step], None] = lambda _part, _step: None,
        on_end: Callable[[Finished], None] = lambda _: None,
        alarm: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name, self.rules = name, rules
        self._due = due_by(devices.encoder, rules.due_s, counts=rules.due_counts, poll_s=rules.encoder_poll_s)
        self.counts: Counter[Outcome] = Counter()
        self.beaten_s: float | None = None
        self.refusals = 0
        self._devices = devices
        self._trigger, self._actuator = Link(devices.trigger), Link(devices.actuator)
        self._recipe = None if devices.recipe is None else Link(devices.recipe)
        self._eyes = Eyes(devices.cameras, alarm=alarm)
        self._judges, self._book = judges, book
        self._on_step, self._on_end, self._alarm = on_step, on_end, alarm
        self._model = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-model")
        self._parts: set[asyncio.Task[None]] = set()
        self._count = PartCount(modulo=rules.counter_modulo)
        self._promised: set[asyncio.Future[None]] = set()
        self._taking, self._halted = asyncio.Event(), asyncio.Event()

    def health(self) -> dict[str, Health]:
        """Of each device, by what it is; for any thread."""
        links = {"trigger": self._trigger, "output": self._actuator, "recipe": self._recipe}
        found = {what: link.health for what, link in links.items() if link is not None}
        return {**found, **self._eyes.health()}

    def camera_counts(self) -> Mapping[str, Mapping[str, int]]:
        """What became of frames and packets, by camera; for any thread."""
        return self._eyes.counts()

    async def run(self, stop: asyncio.Event) -> None:
        """Judge parts until `stop` is set, the trigger ends, or the ledger refuses; then finish those on their way.

        Raises:
            StorageError: the ledger cannot be opened, or refused; the outputs were left in their safe state.
        """
        await self._begin_book()
        self._due.start(self._alarm)
        follow, beat = asyncio.create_task(self._follow()), asyncio.create_task(self._beat())
        ending = [asyncio.create_task(one.wait()) for one in (stop, self._halted)]
        try:
            await asyncio.wait([follow, beat, *ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            follow.cancel()  # before the last parts are waited for, so that they are the last
            await asyncio.wait([follow, *self._parts])
            for task in (beat, *ending):
                task.cancel()
            await asyncio.wait([beat, *ending])
            await self._close()
        for task in (follow, beat):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        if self._halted.is_set():
            raise StorageError(
                f"{self.name}: the ledger refused a part; the station stopped in its safe state"
            )

    async def _begin_book(self) -> None:
        found = await self._book.start()
        self._count.last = found.last_counter if self.rules.counter_lasts else None
        if found.set_aside is not None:
            self._alarm(f"the ledger was damaged; it was set aside as {found.set_aside}, and a new one begun")
        if found.unreserved:
            self._alarm("the disk has no room for the ledger's reserve: when it is full, the station stops")
        if found.cut_short:
            self._alarm(
                f"{found.cut_short} parts were cut short when the program last ended; whether their outputs moved is not known"
            )

    async def _close(self) -> None:
        recipe = () if self._devices.recipe is None else (self._devices.recipe,)
        for one in (self._devices.actuator, self._devices.trigger, self._eyes, *recipe, self._due):
            try:
                await one.close()
            except Exception as error:  # noqa: BLE001  (the others are let go of all the same)
                self._alarm(f"at the end: {type(error).__name__}: {error}")
        self._model.shutdown(wait=False, cancel_futures=True)
        if self._promised:
            await asyncio.wait(self._promised)
        await self._book.stop()

    # --- devices, opened again whenever they are lost

    async def _follow(self) -> None:
        """Take every pulse; a lost trigger is opened again, for ever."""
        await self._eyes.open()  # now, since the first part cannot wait for it
        pause = _RETRY_S[0]
        while True:
            try:
                await self._trigger.ready()
                self._taking.set()
                async with aclosing(self._devices.trigger.pulses()) as pulses:
                    async for pulse in pulses:
                        pause = _RETRY_S[0]
                        self._take(pulse)
            except DeviceError as error:
                self._taking.clear()
                self._trigger.lost(error)
                self._alarm(f"trigger: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])
            else:
                return

    async def _beat(self) -> None:
        """Show the output that somebody is there, for as long as parts are taken and the ledger keeps them."""
        while True:
            self.beaten_s = asyncio.get_running_loop().time()
            try:
                await self._actuator.ready()
                await self._devices.actuator.beat(taking=self._taking.is_set())
            except DeviceError as error:
                self._actuator.lost(error)
                self._alarm(f"output: {error}")
            await self._until_next_beat()

    async def _until_next_beat(self) -> None:
        if self._taking.is_set():
            await asyncio.sleep(self.rules.beat_s)
            return
        with suppress(TimeoutError):  # the first beat comes at once
            async with asyncio.timeout(self.rules.beat_s):
                await self._taking.wait()

    # --- parts

    def _take(self, pulse: Pulse) -> None:
        """Give a pulse its row, and those before it that nobody told of."""
        self._reconcile(pulse)
        overrun = len(self._parts) >= self.rules.max_parts
        part, kept = self._begin(pulse.counter)
        task = asyncio.create_task(
            self._part(_Way(part, pulse, kept), overrun=overrun), name=f"{self.name} part {part}"
        )
        self._parts.add(task)
        task.add_done_callback(self._parts.discard)

    def _begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]:
        part, kept = self._book.begin(counter)
        self._on_step(part, Step.BEGUN)
        return part, kept

    def _reconcile(self, pulse: Pulse) -> None:
        """Rows for parts that the device counted and nobody told of; they have passed the gate, so no output moves for them."""
        gap = self._count.next(pulse.counter)
        if gap.alarm:
            self._alarm(gap.alarm)
        for count in gap.unseen:
            part, _ = self._begin(count)
            unseen = self._fault(part, "unseen", "counted by the device, and nobody was told")
            self._end(Finished(ended=unseen.ended))

    async def _part(self, way: _Way, *, overrun: bool) -> None:
        part, arrival = way.part, self._due.arrival(way.pulse)
        if way.pulse.missed:
            finding = self._fault(part, "missed", "counted, and not seen in time to be photographed")
        elif overrun:
            finding = self._fault(part, "overrun", f"{self.rules.max_parts} parts were on their way already")
        else:
            finding = await self._find(way, arrival)
        ended = (await self._drive(*await self._arrive(finding, arrival))).ended
        self._reached(way, Step.DRIVEN)
        driven = {Step.DRIVEN.value: way.moments[Step.DRIVEN]}
        ended = replace(ended, timings={**ended.timings, **driven})
        self._end(Finished(ended=ended, shots=way.shots, judge=way.judge, judged=way.judged))

    async def _find(self, way: _Way, arrival: Arrival) -> _Finding:
        """A verdict in time, or why there is none."""
        loop = asyncio.get_running_loop()
        try:
            async with arrival.in_time(self.rules.lead_s):
                way.shots, judge = await asyncio.gather(self._eyes.capture(way.pulse), self._choose())
                way.judge = judge
                self._reached(way, Step.CAPTURED)
                way.judged = judged = await loop.run_in_executor(self._model, judge, way.shots)
                self._reached(way, Step.JUDGED)
                await asyncio.shield(way.kept)
                self._reached(way, Step.KEPT)
        except Exception as error:  # noqa: BLE001  (whatever a driver or model does, the part gets its output and its outcome)
            return self._unjudged(way, error)
        verdict = judged.verdict
        ended = Ended(
            part=way.part,
            outcome=Outcome(verdict.decision),
            reason=verdict.reason,
            detail=verdict.detail,
            probability=verdict.probability,
            label=verdict.label,
            bundle=judged.bundle,
            frame_id=way.shots[0].frame_id,
            timings={**judged.timings, **way.moments},
        )
        return _Finding(decision=verdict.decision, ended=ended)

    async def _choose(self) -> Judge:
        """The model of the product that runs now."""
        source = self._devices.recipe
        if source is None or self._recipe is None:
            return self._judges.choose(None)
        try:
            await self._recipe.ready()
            code = await source.code()
            self._recipe.worked()
            return self._judges.choose(code)
        except LoupeError as error:
            if isinstance(error, DeviceError):
                self._recipe.lost(error, at_work=True)
            self._alarm(f"recipe: {error}")
            raise _NoRecipeError(str(error)) from error

    def _reached(self, way: _Way, step: Step) -> None:
        way.step = step
        way.moments[step] = 1e3 * (asyncio.get_running_loop().time() - way.pulse.at_s)
        self._on_step(way.part, step)

    def _unjudged(self, way: _Way, error: Exception) -> _Finding:
        """What a part that has no verdict is called, by what kept it from one."""
        match error:
            case TimeoutError():
                detail = f"not decided {self.rules.lead_s} s before it was due"
                self._alarm(f"part {way.part}: {detail}; it had been {way.step}")
                return self._failed(way.part, Outcome.TIMEOUT, way.step, detail)
            case StorageError():
                self._halt(error)
                reason = "ledger"
            case DeviceError():
                reason = "camera"
            case _NoRecipeError():
                reason = "recipe"
            case InputError():
                self._alarm(f"part {way.part}: {error}")
                reason = "picture"
            case _:
                detail = f"{type(error).__name__}: {error}"
                self._alarm(f"part {way.part}: {detail}")
                return self._fault(way.part, "internal", detail)
        return self._fault(way.part, reason, str(error))

    async def _arrive(self, finding: _Finding, arrival: Arrival) -> tuple[_Finding, float]:
        """Wait until the part is at the gate, and say when that was; where nobody can tell, it is too late for a verdict."""
        try:
            return finding, await arrival.there()
        except DeviceError as error:
            self._alarm(f"part {finding.ended.part}: {error}")
            if finding.ended.outcome is not Outcome.FAULT:
                finding = self._failed(finding.ended.part, Outcome.TIMEOUT, "late", str(error))
            return finding, asyncio.get_running_loop().time()

    async def _drive(self, finding: _Finding, due: float) -> _Finding:
        """Move the output; what is late or not taken is no verdict any more."""
        finding = self._in_time(finding, due, "it would have been")
        try:
            async with asyncio.timeout(self.rules.drive_s):
                await self._actuator.ready()
                await self._devices.actuator.drive(finding.decision)
            self._actuator.worked()
        except TimeoutError:
            return self._output_failed(finding, f"not taken within {self.rules.drive_s} s")
        except LoupeError as error:
            return self._output_failed(finding, str(error))
        except Exception as error:  # noqa: BLE001  (as for verdicts: a driver's fault must not leave a part without an outcome)
            return self._output_failed(finding, f"{type(error).__name__}: {error}")
        return self._in_time(finding, due, "the gate moved for")

    def _in_time(self, finding: _Finding, due: float, what: str) -> _Finding:
        """A finding at the gate, or a timeout where its part has gone by."""
        ended, late = finding.ended, asyncio.get_running_loop().time() - due
        if late <= self.rules.late_s or ended.outcome in (Outcome.TIMEOUT, Outcome.FAULT):
            return finding
        detail = f"{1e3 * late:.1f} ms late at the gate; {what} {ended.outcome}"
        self._alarm(f"part {ended.part}: {detail}")
        return self._failed(ended.part, Outcome.TIMEOUT, "late", detail)

    def _output_failed(self, finding: _Finding, why: str) -> _Finding:
        self._actuator.lost(why, at_work=True)
        self._alarm(f"output: {why}")
        return self._fault(finding.ended.part, "output", f"{why}; it was to be {finding.decision}")

    def _fault(self, part: int, reason: str, detail: str) -> _Finding:
        return self._failed(part, Outcome.FAULT, reason, detail)

    def _failed(self, part: int, outcome: Outcome, reason: str, detail: str) -> _Finding:
        return _Finding(
            decision=self.rules.fail_safe,
            ended=Ended(part=part, outcome=outcome, reason=reason, detail=detail),
        )

    def _end(self, finished: Finished) -> None:
        ended = finished.ended
        self.counts[ended.outcome] += 1
        kept = self._book.end(ended)  # before anybody else hears of it, whatever they do
        self._promised.add(kept)
        kept.add_done_callback(lambda done: self._ended(ended.part, done))
        self._on_end(finished)

    def _ended(self, part: int, kept: asyncio.Future[None]) -> None:
        self._promised.discard(kept)
        error = None if kept.cancelled() else kept.exception()
        if error is not None:
            self._halt(error)
        else:
            self._on_step(part, Step.ENDED)

    def _halt(self, error: BaseException) -> None:
        self.refusals += 1
        if not self._halted.is_set():
            self._alarm(f"ledger: {error}; the station stops")
            self._halted.set()
