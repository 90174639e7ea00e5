"""A whole line being recorded: for each station its recorder, its header, and a copy of the bundles that judge."""

import importlib.metadata
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from edge.app import bundle_judges, looking_of
from edge.line import Line, StationTable
from edge.listeners import Listener
from edge.parts import Judges
from edge.shift.format import BUNDLES, HEADER, Grid, Header, Model
from edge.shift.machine import this_fingerprint
from edge.shift.recorder import RecordedJudges, Recorder
from edge.shift.writer import ShiftWriter
from vision.archive import SUFFIX
from vision.bundle import open_bundle
from vision.errors import BundleError, SettingsError, StorageError
from vision.files import write_json
from vision.qualify import choose
from vision.settings import Settings

_KEEP_FREE: Final = 256 * 2**20  # of the disk, beside the ledgers' reserves


class Recording:
    """A shift in `out`, for `edge.app.run_line`: its `judges` and its `listeners`.

    Args:
        only: the one station to record; absent: all.
        alarm: told a station's name and what a person must look at.

    Raises:
        SettingsError: `out` holds something, or there is no such station.
        StorageError: it cannot be made.
    """

    def __init__(self, out: Path, line: Line, *, only: str | None, alarm: Callable[[str, str], None]) -> None:
        names = [one.name for one in line.station]
        if only is not None and only not in names:
            raise SettingsError(f"--station: expected one of {', '.join(names)}, found {only}")
        try:
            out.mkdir(parents=True, exist_ok=True)
            taken = next(out.iterdir(), None)
        except OSError as error:
            raise StorageError(f"{out}: cannot be written: {error.strerror}") from error
        if taken is not None:
            raise SettingsError(f"--out: expected no folder or an empty one, found '{taken.name}' in {out}")
        self._out, self._alarm = out, alarm
        self._keep_free = _KEEP_FREE + line.reserves_mib * 2**20
        self._names = [only] if only is not None else names
        self._models: dict[str, tuple[Model, ...]] = {}
        self._recorders: dict[str, Recorder] = {}

    def judges(self, table: StationTable, settings: Settings) -> Judges:
        """A station's models, loaded, copied into the shift, and watched.

        Raises:
            BundleError: one cannot be used here.
            StorageError: the disk has no room for a copy.
        """
        judges = bundle_judges(table, settings)
        if table.name not in self._names:
            return judges
        self._models[table.name] = tuple(
            self._model(code, bundle, settings) for code, bundle in table.bundles().items()
        )
        writer = ShiftWriter(self._out / table.name, keep_free_bytes=self._keep_free)
        recorder = Recorder(writer, alarm=partial(self._alarm, table.name))
        self._recorders[table.name] = recorder
        return RecordedJudges(judges, recorder)

    def listeners(self, table: StationTable, boot: str) -> Sequence[Listener]:
        """The station's recorder, whose header is written; asked after `judges`."""
        recorder = self._recorders.get(table.name)
        if recorder is None:
            return ()
        looking = looking_of(table)
        header = Header(
            loupe=importlib.metadata.version("loupe"),
            station=table.name,
            boot=boot,
            began_at=datetime.now(UTC).isoformat(),
            fingerprint=this_fingerprint(),
            tiles=None if table.tiles is None else Grid(**table.tiles.model_dump()),
            merge=looking.merge,
            drift_alpha=table.drift_alpha,
            on_drift=table.on_drift,
            models=self._models[table.name],
        )
        write_json(self._out / table.name / HEADER, header.model_dump())
        return [recorder]

    def _model(self, code: int | None, path: Path, settings: Settings) -> Model:
        keys, required = settings.trust()
        bundle = open_bundle(path, trusted=keys, require_signature=required)
        choice = choose(bundle, settings=settings)
        digest = bundle.digest()
        copy = self._out / BUNDLES / (digest if path.is_dir() else digest + SUFFIX)
        if not copy.exists():
            _copy(path, copy)
            found = open_bundle(copy, trusted=keys, require_signature=required).digest()
            if found != digest:
                raise BundleError(f"{path}: expected the bundle {digest} while it was copied, found {found}")
        return Model(recipe=code, bundle=digest, file=choice.file, threads=choice.threads)


def _copy(path: Path, copy: Path) -> None:
    try:
        copy.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            shutil.copyfile(path, copy)
    except OSError as error:
        raise StorageError(f"{copy}: cannot be written: {error.strerror}") from error
