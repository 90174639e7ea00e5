"""A line as its slots have it, for those who open its models without watching over a trial: `check` and `record`."""

from collections.abc import Callable
from pathlib import Path

from edge.line import Line, StationTable
from edge.slots.install import usable
from edge.slots.seats import Named, named
from edge.slots.store import SlotStore
from vision.errors import StorageError
from vision.settings import Settings


def in_use(line: Line, settings: Settings, *, trials: bool, alarm: Callable[[str, str], None]) -> Line:
    """The line with the bundle of each active slot in the place of the configured one.

    Args:
        trials: also those that are on trial; else what ran before them.
        alarm: told a station's name and why a slot is not used.

    Raises:
        BundleError: a configured bundle is not there.
    """
    stations = {one.name: one for one in line.station}
    for name, model in named(line).items():
        found = _slot(SlotStore(line.data, name), model, settings, trials=trials, alarm=alarm)
        if found is None:
            continue
        for seat in model.seats:
            table = stations[seat.station.name]
            stations[table.name] = _with_bundle(table, seat.code, found)
    return line.model_copy(update={"station": tuple(stations.values())})


def _slot(
    store: SlotStore, model: Named, settings: Settings, *, trials: bool, alarm: Callable[[str, str], None]
) -> Path | None:
    """Where the bundle in use lies, if it lies in a slot."""
    station = model.seats[0].station.name
    try:
        state = store.read()
    except StorageError as error:
        alarm(station, str(error))
        return None
    if state.active is None or state.factory != model.digest:
        return None
    held = state.active if trials or not state.on_trial else state.previous
    if held is None:
        return None
    if not usable(store, held, settings):
        alarm(
            station,
            f"{store.name}: slot {held.slot}: expected the bundle {held.version}, signed by a trusted key; found none",
        )
        return None
    return store.path(held.slot)


def _with_bundle(table: StationTable, code: int | None, bundle: Path) -> StationTable:
    if table.changeover is None:
        return table.model_copy(update={"bundle": bundle})
    recipes = tuple(
        one.model_copy(update={"bundle": bundle}) if one.code == code else one
        for one in table.changeover.recipe
    )
    return table.model_copy(update={"changeover": table.changeover.model_copy(update={"recipe": recipes})})
