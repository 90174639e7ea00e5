"""The composition root: a line's file to running stations, each on an event loop and in threads of its own."""

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, ParamSpec

from edge.drivers import devices_of
from edge.judging import BundleJudges, Looking, judge_with, typical_ms
from edge.ledger import Ledger
from edge.line import Line, StationTable
from edge.listeners import Listener, telling
from edge.outbox import Feed, Mark, acknowledged
from edge.parts import Finished, Judges, Step
from edge.pictures import FOLDER, Pictures, Terms
from edge.pruning import Limits
from edge.rules import Rules
from edge.running import Running, StationThread
from edge.slots.keeper import Model
from edge.slots.models import Models
from edge.station import Station
from edge.tables.triggers import CounterTable
from edge.tiles import Tiles
from edge.view.board import Board
from edge.view.watch import Watch
from edge.writer import LedgerWriter
from vision.address import Address
from vision.errors import SettingsError, StorageError
from vision.inspection.inspect import Inspector, open_inspector
from vision.settings import Settings

if TYPE_CHECKING:
    from edge.view.server import ViewServer

_MIB: Final = 2**20
_Told = ParamSpec("_Told")


def open_model(bundle: Path, table: StationTable, settings: Settings, *, signed: bool = False) -> Inspector:
    """One of a station's models, loaded and warm.

    Args:
        signed: refuse one without a signature by a trusted key, wherever else it would do.

    Raises:
        BundleError: the bundle cannot be used here.
    """
    keys, required = settings.trust()
    return open_inspector(
        bundle,
        trusted=keys,
        require_signature=required or signed,
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
    listeners: Callable[[StationTable, str], Sequence[Listener]] = lambda _table, _boot: (),
) -> Running:
    """Start every station, each in a thread with an event loop of its own.

    Args:
        alarm: told a station's name and what a person must look at; called in the station's thread.
        started: told the names, once all models are warm.
        on_step: told, in the station's thread, how far each part has come.
        open_judges: another way to a station's models than from its bundles, for trials without one.
        listeners: who else hears what becomes of a station's parts, in this run's boot.

    Raises:
        BundleError: a bundle cannot be used here.
        MissingExtraError: a device needs a library that is not installed.
    """
    boot = uuid.uuid4().hex
    boards = {one.name: Board() for one in line.station}
    tell = partial(_tell, boards, alarm)
    models, judges_of = None, open_judges
    if judges_of is None:
        models = Models(line, partial(_model, settings), alarm=tell)
        judges_of = models.judges
    posts = [
        _post(
            line,
            one,
            judges_of(one, settings),
            boot=boot,
            board=boards[one.name],
            alarm=partial(tell, one.name),
            on_step=partial(on_step, one.name),
            listeners=[*listeners(one, boot), *([] if models is None else [models.listener(one)])],
        )
        for one in line.station
    ]
    uplink = None if line.uplink is None else uplink_module().Uplink(line.uplink, [one.feed for one in posts])
    view = None if line.view is None else _view(line.view.listen, posts, boot=boot, alarm=alarm)
    started([one.name for one in line.station])
    return Running([one.thread for one in posts], uplink=uplink, view=view, models=models)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """A station in its thread, what is seen of it, and what it reports."""

    thread: StationThread
    watch: Watch
    feed: Feed


def _post(
    line: Line,
    table: StationTable,
    judges: Judges,
    *,
    boot: str,
    board: Board,
    alarm: Callable[[str], None],
    on_step: Callable[[int, Step], None],
    listeners: Sequence[Listener],
) -> _Post:
    heard_by, mark = [*listeners, *_listeners(line, table, boot=boot, alarm=alarm)], Mark()
    station = _station(
        line,
        table,
        judges,
        boot=boot,
        mark=mark,
        alarm=alarm,
        on_step=_both(board.step, on_step),
        on_end=_both(board.ended, telling(heard_by, alarm=alarm)),
    )
    thread = StationThread(station, heard_by)
    return _Post(
        thread=thread,
        watch=Watch(station=station, board=board, due_ms=1e3 * table.due_s, ended=thread.ended),
        feed=_feed(line, station, boot=boot, mark=mark, alarm=alarm),
    )


def _tell(boards: Mapping[str, Board], alarm: Callable[[str, str], None], station: str, what: str) -> None:
    """Show an alarm, and say it."""
    boards[station].alarm(what)
    alarm(station, what)


def _both(first: Callable[_Told, None], second: Callable[_Told, None]) -> Callable[_Told, None]:
    """Tell two."""

    def tell(*args: _Told.args, **kwargs: _Told.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return tell


def _view(
    address: Address, posts: Sequence[_Post], *, boot: str, alarm: Callable[[str, str], None]
) -> "ViewServer | None":
    """The view; a line whose view cannot be had runs without it."""
    server = import_module("edge.view.server")
    try:
        view: ViewServer = server.ViewServer(server.listen(address), [one.watch for one in posts], boot=boot)
    except SettingsError as error:
        alarm("view", f"{error}; the line runs without it")
        return None
    return view


def _feed(line: Line, station: Station, *, boot: str, mark: Mark, alarm: Callable[[str], None]) -> Feed:
    """What a station has to report."""
    return Feed(
        station=station.name,
        boot=boot,
        folder=line.data / station.name,
        mark=mark,
        counts=partial(dict, station.counts),
        alarm=alarm,
    )


def bundle_judges(table: StationTable, settings: Settings) -> BundleJudges:
    """Every product's model is loaded before the line starts: changing over waits for nothing."""
    looking = looking_of(table)
    return BundleJudges(
        {
            code: judge_with(open_model(bundle, table, settings), looking)
            for code, bundle in table.bundles().items()
        }
    )


def _model(settings: Settings, bundle: Path, table: StationTable, signed: bool) -> Model:  # noqa: FBT001  (as OpenModel has it)
    inspector, looking = open_model(bundle, table, settings, signed=signed), looking_of(table)
    tiles = 1 if looking.tiles is None else looking.tiles.columns * looking.tiles.rows
    return Model(
        judge=judge_with(inspector, looking),
        digest=inspector.bundle.digest(),
        typical_ms=lambda: len(table.camera) * tiles * typical_ms(inspector),
    )


def looking_of(table: StationTable) -> Looking:
    """How a station's pictures are looked at."""
    tiles = None if table.tiles is None else Tiles(**table.tiles.model_dump())
    return Looking(tiles=tiles, merge=table.merge)


def _listeners(
    line: Line, table: StationTable, *, boot: str, alarm: Callable[[str], None]
) -> Sequence[Listener]:
    """Who hears what becomes of a station's parts as the line's file says."""
    heard_by: list[Listener] = []
    given = line.pictures
    if given.budget_mib:
        terms = Terms(
            budget_bytes=given.budget_mib * _MIB,
            keep_free_bytes=(given.keep_free_mib + line.reserves_mib) * _MIB,
            accept_share=given.accept_share,
        )
        heard_by.append(Pictures(line.data / table.name / FOLDER, terms, boot=boot, alarm=alarm))
    return heard_by


def _station(
    line: Line,
    table: StationTable,
    judges: Judges,
    *,
    boot: str,
    mark: Mark,
    alarm: Callable[[str], None],
    on_step: Callable[[int, Step], None],
    on_end: Callable[[Finished], None],
) -> Station:
    folder, uplink = line.data / table.name, line.uplink
    limits = None if uplink is None else Limits(keep_rows=uplink.keep_rows, max_rows=uplink.max_rows)

    def open_ledger() -> Ledger:
        ledger = Ledger(folder, boot=boot, reserve_bytes=line.reserve_mib * _MIB, limits=limits)
        with contextlib.suppress(StorageError):  # then what was reported is reported again
            mark.acknowledged = acknowledged(folder)
        mark.opened.set()
        return ledger

    writer = LedgerWriter(open_ledger, alarm=alarm, mark=mark)
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
        counter_lasts=modulo is not None,
    )
    return Station(
        table.name,
        devices_of(table, folder),
        judges=judges,
        book=writer,
        rules=rules,
        alarm=alarm,
        on_step=on_step,
        on_end=on_end,
    )


def uplink_module() -> ModuleType:
    """Imported where a server is named, and nowhere else: gRPC costs memory, and time at the start."""
    return import_module("edge.uplink")
