"""The models that are served: loaded beside the old one, warmed up, swapped whole.

Takes names under one folder (bundle folders or `.loupe` files), gives `Loaded` models with their batchers. A load that fails
leaves what was served before. It knows nothing of requests or the wire.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.batching import Batcher, Cost, Runs, best_batch, fit_cost
from vision.archive import SUFFIX
from vision.errors import InputError, LoupeError, NotFoundError
from vision.golden import check_golden
from vision.inspection.inspect import Inspector, OnDrift, open_inspector, predict
from vision.inspection.prediction import Prediction
from vision.machine import this_machine
from vision.preprocess import Prepared
from vision.session import Session

_TIMED_RUNS: Final = 3

InspectionBatcher = Batcher[Prepared, Prediction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How bundles are opened and batched.

    Attributes:
        trusted: keys that bundles may be signed with.
        drift_alpha: bound on the probability that the drift test ever alarms falsely; absent: do not watch.
    """

    trusted: tuple[Ed25519PublicKey, ...] = ()
    require_signature: bool = False
    max_batch: int = 8
    max_waiting: int = 256
    drift_alpha: float | None = None
    on_drift: OnDrift = "review_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which model answered, as answers and results name it; all of it empty where none was there to judge."""

    name: str = ""
    version: str = ""
    digest: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that is ready to answer."""

    name: str
    version: str
    digest: str
    path: Path
    inspector: Inspector
    batcher: InspectionBatcher
    cost: Cost
    load_s: float

    @property
    def identity(self) -> Identity:
        return Identity(
            name=self.name, version=self.version, digest=self.digest, file=self.inspector.choice.file
        )


@dataclass(slots=True)
class Models:
    """All models of one folder.

    Attributes:
        folder: what `load` looks names up in.
        changed: called with a name after each change of whether or by what it is served.
        attempted: called after each load with what was wrong, if anything.
        failures: why a bundle of the folder could not be loaded the last time, by its name there.
    """

    folder: Path
    opening: Opening
    changed: Callable[[str], None] = lambda _name: None
    attempted: Callable[[LoupeError | None], None] = lambda _error: None
    failures: dict[str, str] = field(default_factory=dict)
    _served: dict[str, Loaded] = field(default_factory=dict)
    _previous: dict[str, Loaded] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __contains__(self, name: str) -> bool:
        return name in self._served

    def served(self) -> list[Loaded]:
        return sorted(self._served.values(), key=lambda model: model.name)

    def get(self, name: str) -> Loaded:
        """The model that answers for a name; for the empty name the only one there is.

        Raises:
            NotFoundError: none, or the empty name where several are served.
        """
        if name in self._served:
            return self._served[name]
        known = ", ".join(sorted(self._served)) or "none"
        if name:
            raise NotFoundError(f"model '{name}': expected one of those served: {known}")
        if len(self._served) != 1:
            raise NotFoundError(f"model: expected a name, since {len(self._served)} are served: {known}")
        return next(iter(self._served.values()))

    async def load_all(self) -> None:
        """Load everything in the folder; what fails is in `failures`, the rest is served.

        Of several bundles of one model the last is served, with numbers in their order: `cells-1.10` comes after `cells-1.9`.

        Raises:
            InputError: there is no such folder.
        """
        if not self.folder.is_dir():
            raise InputError(f"--models {self.folder}: expected a folder of bundles, found none")
        found = (p for p in self.folder.iterdir() if p.suffix == SUFFIX or (p / "manifest.json").is_file())
        for path in sorted(found, key=_in_order):
            with suppress(LoupeError):  # kept in `failures`
                await self._load(path)

    async def load(self, name: str) -> Loaded:
        """Load `folder/name` or `folder/name.loupe` beside what is served, and swap when it is warm.

        Raises:
            NotFoundError: no such bundle in the folder.
            BundleError: it cannot be used; what was served before goes on.
        """
        if name == Path(name).name and name not in {"", ".."}:  # a name, and no path
            for path in (self.folder / name, self.folder / f"{name}{SUFFIX}"):
                if path.exists():
                    return await self._load(path)
        raise NotFoundError(f"bundle '{name}': expected one in the model folder, found none")

    async def unload(self, name: str) -> None:
        """Stop serving a name; its memory is free once what is in flight is answered.

        Raises:
            NotFoundError: it is not served.
        """
        name = self.get(name).name
        async with self._one_at_a_time:
            leaving = [group.pop(name) for group in (self._served, self._previous) if name in group]
            self.changed(name)
            await _retire(*leaving)

    async def close(self) -> None:
        """Answer what is in flight and end every batcher's thread."""
        await _retire(*self._served.values(), *self._previous.values())

    async def _load(self, path: Path) -> Loaded:
        async with self._one_at_a_time:
            try:
                loaded = await asyncio.to_thread(_open, path, self.opening)
            except LoupeError as error:
                self.failures[name_of(path)] = str(error)
                self.attempted(error)
                raise
            self.failures.pop(name_of(path), None)
            self.attempted(None)
            outgoing = self._previous.pop(loaded.name, None)
            if loaded.name in self._served:
                self._previous[loaded.name] = self._served[loaded.name]
            self._served[loaded.name] = loaded
            self.changed(loaded.name)
            await _retire(*([outgoing] if outgoing else []))
            return loaded


def name_of(bundle: Path) -> str:
    """How a bundle is called in its folder, whatever its manifest calls the model; versions hold dots."""
    return bundle.name.removesuffix(SUFFIX)


def _in_order(bundle: Path) -> list[str | int]:
    """Text and numbers in turn, as the names of versions are ordered."""
    return [int(one) if one.isdecimal() else one for one in re.split(r"([0-9]+)", name_of(bundle))]


async def _retire(*models: Loaded) -> None:
    for model in models:
        await model.batcher.close()


def _open(path: Path, opening: Opening) -> Loaded:
    """Verify, load, warm up and time one bundle; runs in a thread and takes seconds."""
    started = time.perf_counter()
    inspector = open_inspector(
        path,
        trusted=opening.trusted,
        require_signature=opening.require_signature,
        drift_alpha=opening.drift_alpha,
        on_drift=opening.on_drift,
    )
    runs = _runs(inspector)
    times = _measure(inspector, runs, opening.max_batch)
    cost = fit_cost({size: statistics.median(of_size) for size, of_size in times.items()})
    best = best_batch({size: min(of_size) for size, of_size in times.items()})  # the least disturbed
    manifest = inspector.bundle.manifest
    return Loaded(
        name=manifest.name,
        version=manifest.version,
        digest=inspector.bundle.digest(),
        path=path,
        inspector=inspector,
        batcher=Batcher(runs, cost=cost, max_batch=best, max_waiting=opening.max_waiting),
        cost=cost,
        load_s=time.perf_counter() - started,
    )


def _runs(inspector: Inspector) -> Runs[Prepared, Prediction]:
    """The inspector's own session for a batch that is alone; one with a single thread, for several side by side.

    Side by side they answer more pictures a second than one after the other on all cores: nothing waits for the slowest part of a layer.
    """
    file, threads = inspector.choice.file, inspector.choice.threads
    if threads == 1:
        return Runs(alone=inspector.predict, beside=inspector.predict, workers=this_machine().cores)
    narrow = Session(inspector.bundle.read(file), name=file, threads=1)
    check_golden(inspector.bundle, file, narrow)

    return Runs(alone=inspector.predict, beside=partial(predict, narrow), workers=threads)


def _measure(
    inspector: Inspector, runs: Runs[Prepared, Prediction], max_batch: int
) -> dict[int, list[float]]:
    """Seconds of some batches by their size, all workers busy with such batches; each size is warm afterwards."""
    width, height = inspector.bundle.manifest.preprocess.size_wh
    blank = Prepared.given(np.zeros((height, width, 3), np.uint8))
    measured = {}
    with ThreadPoolExecutor(runs.workers) as threads:
        for size in sorted({1, 2, 4, max_batch} & set(range(1, max_batch + 1))):
            batches = [[blank] * size for _ in range(runs.workers)]
            times = [_seconds(threads, runs, batches) for _ in range(1 + _TIMED_RUNS)]
            measured[size] = times[1:]  # the first one warms up
    return measured


def _seconds(
    threads: ThreadPoolExecutor, runs: Runs[Prepared, Prediction], batches: list[list[Prepared]]
) -> float:
    started = time.perf_counter()
    list(threads.map(runs.beside, batches))
    return time.perf_counter() - started
