"""`loupe fleet`: the stations that report to a server."""

from rich.markup import escape
from rich.table import Table

from server.commands.token import DEFAULT_DATABASE, DatabaseOption
from server.storage.database import open_database
from server.storage.stations import Station, Stations
from server.storage.tables import PartOutcome
from vision.commands.output import JsonFlag, Output


def list_stations(database: DatabaseOption = DEFAULT_DATABASE, json: JsonFlag = False) -> None:
    """Show every station: when it was last heard of, what it runs, its parts by outcome, and how many it has not reported yet.

    Example: `loupe fleet list --database sqlite:///loupe-data/results.db`
    """
    kept = open_database(database, create=False)
    try:
        found = Stations(kept).all()
    finally:
        kept.close()
    table = Table("station", "last seen", "runs", "parts", "not here", show_lines=True)
    for one in found:
        runs = f"Loupe {one.version}\nboot {one.boot[:8]}\nbundle {one.bundle[:12]}"
        parts = "\n".join(f"{one.kept[outcome]} {outcome}" for outcome in PartOutcome)
        missing = f"{one.waiting} waiting\n{one.discarded} discarded"
        table.add_row(
            *map(escape, (one.name, one.seen_at.isoformat(timespec="seconds"), runs, parts, missing))
        )
    Output(json).result({"stations": [_facts(one) for one in found]}, table)


def _facts(one: Station) -> dict[str, object]:
    return {
        "station": one.name,
        "version": one.version,
        "boot": one.boot,
        "bundle": one.bundle,
        "registered_at": one.registered_at and one.registered_at.isoformat(),
        "last_seen": one.seen_at.isoformat(),
        "outcomes": {outcome.value: one.kept[outcome] for outcome in PartOutcome},
        "since_boot": dict(one.since_boot),
        "waiting": one.waiting,
        "discarded": one.discarded,
    }
