"""A station: trigger, capture, judge, wait for the gate, drive it, record. Every trigger gets a row and an outcome.

Pure over `ports`: it knows no device, no model and no file. Parts overlap: while one travels to the gate, the next are photographed and
judged, one after the other. Whatever goes wrong with a part, its output is the fail-safe one, in time, and its row says why:

    begun ── captured ── judged ── row kept ── due ── driven ── ended
      └─────────┴──────────┴─────────┴── timeout or fault: fail-safe output at the due time ──┘

A verdict's output moves only for a part whose row is on the disk; the fail-safe one moves whatever the disk does.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from edge.ledger import Ended, Found, Outcome
from edge.link import Link
from edge.ports import Devices, Pulse, Shot
from vision.errors import DeviceError, InputError, LoupeError, StorageError
from vision.inspection.policy import Decision, Verdict

_MOST_UNSEEN: Final = (
    100_000  # parts that a counter may be ahead of the ledger; more is a counter that was set anew
)
_RETRY_S: Final = (0.1, 5.0)  # after a device was lost: the first pause, doubling up to the last


class Step(StrEnum):
    """How far a part has come."""

    BEGUN = "begun"
    CAPTURED = "captured"
    JUDGED = "judged"
    KEPT = "kept"
    DRIVEN = "driven"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a part must be decided, and what happens to one that is not.

    Attributes:
        due_s: from the trigger to the gate.
        lead_s: a decision must be there so long before the part is; then the fail-safe output is chosen.
        late_s: an output driven later than this after the part was due is late, and no verdict.
        drive_s: an output that the device has not taken after this long has failed.
        beat_s: between heartbeats.
        max_parts: between trigger and gate at once; one more is a fault.
        counter_modulo: where the trigger's counter begins anew; absent: never.
    """

    due_s: float
    fail_safe: Decision
    lead_s: float = 0.01
    late_s: float = 0.01
    drive_s: float = 0.1
    beat_s: float = 0.5
    max_parts: int = 64
    counter_modulo: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict, the digest of the bundle that gave it, and milliseconds by stage."""

    verdict: Verdict
    bundle: str
    timings: dict[str, float] = field(default_factory=dict)


class Book(Protocol):
    """The ledger as a station sees it; `edge.writer.LedgerWriter` is one."""

    async def start(self) -> Found: ...
    def begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]: ...
    def end(self, ended: Ended) -> asyncio.Future[None]: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What is to happen to a part, and the row's words for it."""

    decision: Decision
    ended: Ended


class Station:
    """One camera, one gate, one model.

    Args:
        judge: called in a thread of its own, one picture at a time.
        on_step: told, on the event loop, how far each part has come.
        alarm: told what a person must look at.
    """

    def __init__(
        self,
        name: str,
        devices: Devices,
        *,
        judge: Callable[[Shot], Judged],
        book: Book,
        rules: Rules,
        on_step: Callable[[int, Step], None] = lambda _part, _step: None,
        alarm: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name, self.rules = name, rules
        self.counts: Counter[Outcome] = Counter()
        self._devices = devices
        self._trigger, self._camera = Link(devices.trigger), Link(devices.camera)
        self._actuator = Link(devices.actuator)
        self._judge, self._book, self._on_step, self._alarm = judge, book, on_step, alarm
        self._model = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-model")
        self._one_capture = asyncio.Lock()
        self._parts: set[asyncio.Task[None]] = set()
        self._last_counter: int | None = None
        self._last_shot: Shot | None = None
        self._promised: set[asyncio.Future[None]] = set()
        self._halted = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Judge parts until `stop` is set, the trigger ends, or the ledger refuses; then finish those on their way.

        Raises:
            StorageError: the ledger cannot be opened, or refused; the outputs were left in their safe state.
        """
        await self._begin_book()
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
        self._last_counter = found.last_counter
        if found.set_aside is not None:
            self._alarm(f"the ledger was damaged; it was set aside as {found.set_aside}, and a new one begun")
        if found.cut_short:
            self._alarm(
                f"{found.cut_short} parts were cut short when the program last ended; whether their outputs moved is not known"
            )

    async def _close(self) -> None:
        for device in (self._devices.trigger, self._devices.camera, self._devices.actuator):
            await device.close()
        self._model.shutdown(wait=False, cancel_futures=True)
        if self._promised:
            await asyncio.wait(self._promised)
        await self._book.stop()

    # --- devices, opened again whenever they are lost

    async def _follow(self) -> None:
        """Take every pulse; a lost trigger is opened again, for ever."""
        with suppress(DeviceError):  # each part will say so
            await self._camera.ready()  # now, since the first part cannot wait for it
        pause = _RETRY_S[0]
        while True:
            try:
                await self._trigger.ready()
                async with aclosing(self._devices.trigger.pulses()) as pulses:
                    async for pulse in pulses:
                        pause = _RETRY_S[0]
                        self._take(pulse)
            except DeviceError as error:
                self._trigger.lost()
                self._alarm(f"trigger: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])
            else:
                return

    async def _beat(self) -> None:
        """Show the output that somebody is there, for as long as the ledger takes parts."""
        while True:
            try:
                await self._actuator.ready()
                await self._devices.actuator.beat()
            except DeviceError as error:
                self._actuator.lost()
                self._alarm(f"output: {error}")
            await asyncio.sleep(self.rules.beat_s)

    async def _capture(self, pulse: Pulse) -> Shot:
        """The part's picture; a camera that failed is opened again for the next part."""
        async with self._one_capture:
            try:
                await self._camera.ready()
                shot = await self._devices.camera.capture(pulse)
            except DeviceError as error:
                self._camera.lost()
                self._alarm(f"camera: {error}")
                raise
            return self._new(shot)

    # --- parts

    def _take(self, pulse: Pulse) -> None:
        """Give a pulse its row, and those before it that nobody told of."""
        self._reconcile(pulse)
        overrun = len(self._parts) >= self.rules.max_parts
        part, kept = self._begin(pulse.counter)
        task = asyncio.create_task(
            self._part(part, pulse, kept, overrun=overrun), name=f"{self.name} part {part}"
        )
        self._parts.add(task)
        task.add_done_callback(self._parts.discard)

    def _begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]:
        part, kept = self._book.begin(counter)
        self._on_step(part, Step.BEGUN)
        return part, kept

    def _reconcile(self, pulse: Pulse) -> None:
        """Rows for parts that the device counted and nobody told of; they have passed the gate, so no output moves for them."""
        last, now = self._last_counter, pulse.counter
        self._last_counter = now if now is not None else last
        if last is None or now is None:
            return
        modulo = self.rules.counter_modulo
        ahead = now - last if modulo is None else (now - last) % modulo
        if ahead == 1:
            return
        if not 1 < ahead <= min(_MOST_UNSEEN, (modulo or 2 * _MOST_UNSEEN) // 2):
            self._alarm(f"the counter went from {last} to {now}; it is taken for one that was set anew")
            return
        self._alarm(f"the counter went from {last} to {now}: {ahead - 1} parts passed unseen")
        for step in range(1, ahead):
            part, _ = self._begin(last + step if modulo is None else (last + step) % modulo)
            self._end(self._fault(part, "unseen", "counted by the device, and nobody was told").ended)

    async def _part(self, part: int, pulse: Pulse, kept: asyncio.Future[None], *, overrun: bool) -> None:
        loop = asyncio.get_running_loop()
        due = pulse.at_s + self.rules.due_s
        if pulse.missed:
            finding = self._fault(part, "missed", "counted, and not seen in time to be photographed")
        elif overrun:
            finding = self._fault(part, "overrun", f"{self.rules.max_parts} parts were on their way already")
        else:
            finding = await self._find(part, pulse, kept, latest=due - self.rules.lead_s)
        await asyncio.sleep(due - loop.time())
        finding = await self._drive(finding, due)
        driven = {Step.DRIVEN.value: 1e3 * (loop.time() - pulse.at_s)}
        self._on_step(part, Step.DRIVEN)
        self._end(replace(finding.ended, timings={**finding.ended.timings, **driven}))

    async def _find(self, part: int, pulse: Pulse, kept: asyncio.Future[None], *, latest: float) -> _Finding:
        """A verdict in time, or why there is none."""
        loop, step, moments = asyncio.get_running_loop(), Step.BEGUN, dict[str, float]()

        def reached(new: Step) -> None:
            nonlocal step
            step = new
            moments[step.value] = 1e3 * (loop.time() - pulse.at_s)
            self._on_step(part, step)

        try:
            async with asyncio.timeout_at(latest):
                shot = await self._capture(pulse)
                reached(Step.CAPTURED)
                judged = await loop.run_in_executor(self._model, self._judge, shot)
                reached(Step.JUDGED)
                await asyncio.shield(kept)
                reached(Step.KEPT)
        except TimeoutError:
            return self._failed(
                part, Outcome.TIMEOUT, step, f"not decided {self.rules.lead_s} s before it was due"
            )
        except DeviceError as error:
            return self._fault(part, "camera", str(error))
        except StorageError as error:
            self._halt(error)
            return self._fault(part, "ledger", str(error))
        except InputError as error:
            return self._fault(part, "picture", str(error))
        except Exception as error:  # noqa: BLE001  (whatever a driver or model does, the part gets its output and its outcome)
            return self._fault(part, "internal", f"{type(error).__name__}: {error}")
        verdict = judged.verdict
        ended = Ended(
            part=part,
            outcome=Outcome(verdict.decision),
            reason=verdict.reason,
            detail=verdict.detail,
            probability=verdict.probability,
            label=verdict.label,
            bundle=judged.bundle,
            frame_id=shot.frame_id,
            timings={**judged.timings, **moments},
        )
        return _Finding(decision=verdict.decision, ended=ended)

    def _new(self, shot: Shot) -> Shot:
        """The shot, if it is later than the last.

        Raises:
            DeviceError: it is the last one again, or an older one.
        """
        last, self._last_shot = self._last_shot, shot
        if last is None:
            return shot
        for what, before, now in (
            ("frame id", last.frame_id, shot.frame_id),
            ("device time", last.device_ns, shot.device_ns),
        ):
            if before is not None and now is not None and now <= before:
                self._last_shot = last
                again = "the same frame again" if now == before else "an older frame"
                raise DeviceError(f"{shot.name}: expected a {what} above {before}, found {now}: {again}")
        return shot

    async def _drive(self, finding: _Finding, due: float) -> _Finding:
        """Move the output; what is late or not taken is no verdict any more."""
        late = asyncio.get_running_loop().time() - due
        if late > self.rules.late_s:
            detail = f"{1e3 * late:.1f} ms late at the gate; it would have been {finding.ended.outcome}"
            finding = self._failed(finding.ended.part, Outcome.TIMEOUT, "late", detail)
        try:
            async with asyncio.timeout(self.rules.drive_s):
                await self._actuator.ready()
                await self._devices.actuator.drive(finding.decision)
        except TimeoutError:
            return self._output_failed(finding, f"not taken within {self.rules.drive_s} s")
        except LoupeError as error:
            return self._output_failed(finding, str(error))
        except Exception as error:  # noqa: BLE001  (as for verdicts: a driver's fault must not leave a part without an outcome)
            return self._output_failed(finding, f"{type(error).__name__}: {error}")
        return finding

    def _output_failed(self, finding: _Finding, why: str) -> _Finding:
        self._actuator.lost()
        self._alarm(f"output: {why}")
        return self._fault(finding.ended.part, "output", f"{why}; it was to be {finding.decision}")

    def _fault(self, part: int, reason: str, detail: str) -> _Finding:
        return self._failed(part, Outcome.FAULT, reason, detail)

    def _failed(self, part: int, outcome: Outcome, reason: str, detail: str) -> _Finding:
        return _Finding(
            decision=self.rules.fail_safe,
            ended=Ended(part=part, outcome=outcome, reason=reason, detail=detail),
        )

    def _end(self, ended: Ended) -> None:
        self.counts[ended.outcome] += 1
        kept = self._book.end(ended)
        self._promised.add(kept)
        kept.add_done_callback(lambda done: self._ended(ended.part, done))

    def _ended(self, part: int, kept: asyncio.Future[None]) -> None:
        self._promised.discard(kept)
        error = None if kept.cancelled() else kept.exception()
        if error is not None:
            self._halt(error)
        else:
            self._on_step(part, Step.ENDED)

    def _halt(self, error: BaseException) -> None:
        if not self._halted.is_set():
            self._alarm(f"ledger: {error}; the station stops")
            self._halted.set()
