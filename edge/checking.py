"""Would this line start? Every model opened and every device reached, once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from edge.app import open_model, uplink_module
from edge.drivers import devices_of
from edge.ledger import ledger_held
from edge.line import Line
from edge.ports import Device
from edge.slots.in_use import in_use
from vision.address import Address
from vision.errors import BundleError, DeviceError, LoupeError
from vision.settings import Settings

_PATIENCE_S: Final = 5.0  # for a device to be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A part of a station, and what kept it from being reached; empty when it was."""

    station: str
    what: str
    error: str


async def check(line: Line, settings: Settings) -> list[Reached]:
    """Open every model and reach every device, once; nothing is moved but outputs to their rest."""
    found: list[Reached] = []
    if line.view is not None:
        error = await _said(asyncio.to_thread(_could_view, line.view.listen))
        found.append(Reached(station="", what="view", error=error))

    def unused(station: str, why: str) -> None:
        found.append(Reached(station=station, what="slot", error=why))

    for one in _with_slots(line, settings, unused).station:
        kept = await _said(asyncio.to_thread(_could_keep, line.data / one.name))
        found.append(Reached(station=one.name, what="ledger", error=kept))
        if kept:  # a line that is at work keeps its devices to itself
            continue
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
        if line.uplink is not None:
            reaching = uplink_module().reach(line.uplink, one.name, patience_s=_PATIENCE_S)
            works.append(("uplink", reaching))
        found += [Reached(station=one.name, what=what, error=await _said(work)) for what, work in works]
    return found


def _could_keep(folder: Path) -> None:
    with ledger_held(folder):
        pass


def _could_view(address: Address) -> None:
    import_module("edge.view.server").listen(address).close()


def _with_slots(line: Line, settings: Settings, alarm: Callable[[str, str], None]) -> Line:
    """What would be judged by; where that cannot be said, opening the bundle will tell why."""
    try:
        return in_use(line, settings, trials=True, alarm=alarm)
    except BundleError:
        return line


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
