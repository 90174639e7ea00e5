"""`loupe edge status`: which bundles a line judges by."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from edge.commands.options import ConfigOption
from edge.line import Line, read_line
from edge.slots.seats import Named, named
from edge.slots.state import Held, SlotState
from edge.slots.store import SlotStore
from vision.commands.output import JsonFlag, Output
from vision.errors import StorageError


def status(config: ConfigOption, json: JsonFlag = False) -> None:
    """Show for each model which bundle is active, whether it is on trial, what a rollback goes to, and the last one's reason.

    Exit 1 when a model's state cannot be read.

    Example: `loupe edge status --config line.toml`
    """
    line = read_line(config)
    told = {name: _told(line, name, model) for name, model in named(line).items()}
    table = Table(
        "model", "stations", "active", "since", "", "previous", "last rollback", title_justify="left"
    )
    for name, one in told.items():
        undone = one["last_rollback"]
        table.add_row(
            name,
            "\n".join(one["stations"]),
            _words(one["active"]),
            one["active"]["since"] or "",
            "on trial" if one["trial"] else "confirmed",
            "" if one["previous"] is None else _words(one["previous"]),
            "" if undone is None else escape(f"{undone['version']} at {undone['at']}: {undone['reason']}"),
        )
    Output(json).result({"models": told}, table)


def _told(line: Line, name: str, model: Named) -> dict[str, Any]:
    store = SlotStore(line.data, name)
    try:
        state = store.read()
    except StorageError as error:
        raise StorageError(f"{error}; the line uses the configured bundle when it starts") from error
    if state.factory != model.digest:  # line.toml names another one since: a start will go by that
        state = SlotState(last_rollback=state.last_rollback)
    factory = {"version": model.manifest.version, "digest": model.digest, "slot": None, "since": None}
    previous = None if state.active is None else factory if state.previous is None else _held(state.previous)
    return {
        "stations": [str(seat) for seat in model.seats],
        "active": factory if state.active is None else _held(state.active),
        "trial": state.on_trial,
        "starts": state.starts,
        "previous": previous,
        "last_rollback": None if state.last_rollback is None else state.last_rollback.model_dump(mode="json"),
    }


def _held(one: Held) -> dict[str, Any]:
    return one.model_dump(mode="json")


def _words(one: dict[str, Any]) -> str:
    where = "configured" if one["slot"] is None else f"slot {one['slot']}"
    return f"{one['version']}, {where}\n{(one['digest'] or 'several')[:16]}"
