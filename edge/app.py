"""The composition root: a line's file to running stations, each on an event loop and in threads of its own."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from typing_extensions import override

from edge.device_tables import CounterTable
from edge.drivers import devices_of
from edge.judging import BundleJudges, Looking, judge_with
from edge.ledger import Ledger, Outcome
from edge.line import Line, StationTable
from edge.parts import Judges, Step
from edge.ports import Device
from edge.station import Rules, Station
from edge.tiles import Tiles
from edge.writer import LedgerWriter
from vision.errors import DeviceError, LoupeError
from vision.inspection.inspect import Inspector, open_inspector
from vision.settings import Settings

_MIB: Final = 2**20
_PATIENCE_S: Final = 5.0  # for a device to be reached by `check`
_GLANCE_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A part of a station, and what kept it from being reached; empty when it was."""

    station: str
    what: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a station did: parts by outcome, and why it ended before it was told to; empty when it did not."""

    outcomes: Mapping[Outcome, int]
    error: str


def open_model(bundle: Path, table: StationTable, settings: Settings) -> Inspector:
    """One of a station's models, loaded and warm.

    Raises:
        BundleError: the bundle cannot be used here.
    """
    keys, required = settings.trust()
    return open_inspector(
        bundle,
        trusted=keys,
        require_signature=required,
        drift_alpha=table.drift_alpha,
        on_drift=table.on_drift,
    )


def run_line(
    line: Line,
    settings: Settings,
    *,
    alarm: Callable[[str, str], None],
    started: Callable[[Sequence[str]], None],
    on_step: Callable[[str, int, Step], None] = lambda _station, _part, _step: None,
    open_judges: Callable[[StationTable, Settings], Judges] | None = None,
) -> "Running":
    """Start every station, each in a thread with an event loop of its own.

    Args:
        alarm: told a station's name and what a person must look at; called in the station's thread.
        started: told the names, once all models are warm.
        on_step: told, in the station's thread, how far each part has come.
        open_judges: another way to a station's models than from its bundles, for trials without one.

    Raises:
        BundleError: a bundle cannot be used here.
        MissingExtraError: a device needs a library that is not installed.
    """
    boot = uuid.uuid4().hex
    judges_of = open_judges or bundle_judges
    stations = [
        _station(
            line,
            one,
            judges_of(one, settings),
            boot=boot,
            alarm=partial(alarm, one.name),
            on_step=partial(on_step, one.name),
        )
        for one in line.station
    ]
    started([one.name for one in stations])
    return Running([_Thread(one) for one in stations])


class Running:
    """Stations at work."""

    def __init__(self, threads: Sequence["_Thread"]) -> None:
        self._threads = threads
        for thread in threads:
            thread.start()

    def stop(self) -> None:
        """Have every station finish the parts on their way and end. May be called from a signal handler."""
        for thread in self._threads:
            thread.ask_to_stop()

    def wait(self) -> dict[str, Ran]:
        """What each station did, once all have ended."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_GLANCE_S)  # in steps, so that signals are heard
        return {thread.station.name: thread.ran() for thread in self._threads}


class _Thread(threading.Thread):
    """One station's event loop."""

    def __init__(self, station: Station) -> None:
        super().__init__(name=station.name)
        self.station = station
        self._error = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._asked = False

    @override
    def run(self) -> None:
        try:
            asyncio.run(self._work())
        except LoupeError as error:
            self._error = str(error)
        except Exception as error:  # noqa: BLE001  (other stations go on; this one's end is told like any other)
            self._error = f"{type(error).__name__}: {error}"

    def ask_to_stop(self) -> None:
        self._asked = True
        if self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(self._ending.set)

    def ran(self) -> Ran:
        return Ran(outcomes=dict(self.station.counts), error=self._error)

    async def _work(self) -> None:
        self._ending, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if self._asked:
            return
        await self.station.run(self._ending)


def bundle_judges(table: StationTable, settings: Settings) -> BundleJudges:
    """Every product's model is loaded before the line starts: changing over waits for nothing."""
    tiles = None if table.tiles is None else Tiles(**table.tiles.model_dump())
    looking = Looking(tiles=tiles, merge=table.merge)
    return BundleJudges(
        {
            code: judge_with(open_model(bundle, table, settings), looking)
            for code, bundle in table.bundles().items()
        }
    )


def _station(
    line: Line,
    table: StationTable,
    judges: Judges,
    *,
    boot: str,
    alarm: Callable[[str], None],
    on_step: Callable[[int, Step], None],
) -> Station:
    folder = line.data / table.name
    writer = LedgerWriter(
        lambda: Ledger(folder, boot=boot, reserve_bytes=line.reserve_mib * _MIB), alarm=alarm
    )
    modulo = 1 << 16 * table.trigger.words if isinstance(table.trigger, CounterTable) else None
    rules = Rules(
        due_s=table.due_s,
        due_counts=0 if table.encoder is None else table.encoder.due_counts,
        encoder_poll_s=0 if table.encoder is None else table.encoder.poll_s,
        lead_s=table.lead_s,
        late_s=table.late_s,
        fail_safe=table.fail_safe,
        max_parts=table.max_parts,
        counter_modulo=modulo,
    )
    return Station(
        table.name,
        devices_of(table, folder),
        judges=judges,
        book=writer,
        rules=rules,
        alarm=alarm,
        on_step=on_step,
    )


async def check(line: Line, settings: Settings) -> list[Reached]:
    """Open every model and reach every device, once; nothing is moved but outputs to their rest."""
    found = []
    for one in line.station:
        devices = devices_of(one, line.data / one.name)
        works: list[tuple[str, Awaitable[object]]] = [
            (
                "bundle" if code is None else f"recipe {code}",
                asyncio.to_thread(open_model, bundle, one, settings),
            )
            for code, bundle in one.bundles().items()
        ]
        works.append(("trigger", _reach(devices.trigger)))
        for number, camera in enumerate(devices.cameras):
            works.append((f"camera {number + 1}" if len(devices.cameras) > 1 else "camera", _reach(camera)))
        if devices.recipe is not None:
            works.append(("changeover", _reach(devices.recipe)))
        works.append(("actuator", _reach(devices.actuator)))
        if devices.encoder is not None:
            works.append(("encoder", _reach(devices.encoder)))
        found += [Reached(station=one.name, what=what, error=await _said(work)) for what, work in works]
    return found


async def _reach(device: Device) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await device.open()
    except TimeoutError as error:
        raise DeviceError(f"not reached within {_PATIENCE_S} s") from error
    finally:
        await device.close()


async def _said(work: Awaitable[object]) -> str:
    try:
        await work
    except LoupeError as error:
        return str(error)
    return ""
