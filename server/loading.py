"""One bundle, ready to answer: verified, loaded, warmed up and timed, with a batcher before it.

`open_model` takes a bundle of whichever task and gives a `Loaded` of its kind. It knows nothing of what else is served.
"""

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typing_extensions import override

from server.batching import Batcher, Cost, Runs, best_batch, fit_cost
from vision.bundle import Bundle, open_bundle
from vision.catalog.categorize import Categorizer, RowPrediction
from vision.catalog.item import Item, Row, rows_of
from vision.golden import check_golden
from vision.inspection import inspect
from vision.inspection.inspect import Inspector, OnDrift
from vision.inspection.prediction import Prediction
from vision.machine import this_machine
from vision.preprocess import Prepared
from vision.qualify import Choice
from vision.session import Session

_TIMED_RUNS: Final = 3

InspectionBatcher = Batcher[Prepared, Prediction]
CatalogBatcher = Batcher[Row, RowPrediction]

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


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
class _Ready(ABC):
    """What models of all tasks have."""

    path: Path
    digest: str
    cost: Cost
    load_s: float

    @property
    @abstractmethod
    def bundle(self) -> Bundle: ...

    @property
    def name(self) -> str:
        return self.bundle.manifest.name

    @property
    def version(self) -> str:
        return self.bundle.manifest.version


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionModel(_Ready):
    """Judges parts."""

    inspector: Inspector
    batcher: InspectionBatcher

    @property
    @override
    def bundle(self) -> Bundle:
        return self.inspector.bundle

    @property
    def identity(self) -> Identity:
        return _identity(self, self.inspector.choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogModel(_Ready):
    """Places products."""

    categorizer: Categorizer
    batcher: CatalogBatcher

    @property
    @override
    def bundle(self) -> Bundle:
        return self.categorizer.bundle

    @property
    def identity(self) -> Identity:
        return _identity(self, self.categorizer.choice)


Loaded = InspectionModel | CatalogModel


def _identity(model: Loaded, choice: Choice) -> Identity:
    return Identity(name=model.name, version=model.version, digest=model.digest, file=choice.file)


def open_model(path: Path, opening: Opening) -> Loaded:
    """Verify, load, warm up and time one bundle; runs in a thread and takes seconds.

    Raises:
        BundleError: it cannot be used.
    """
    started = time.perf_counter()
    bundle = open_bundle(path, trusted=opening.trusted, require_signature=opening.require_signature)
    if bundle.manifest.task == "catalog":
        return _catalog_model(path, bundle, opening, started)
    return _inspection_model(path, bundle, opening, started)


def _inspection_model(path: Path, bundle: Bundle, opening: Opening, started: float) -> InspectionModel:
    inspector = Inspector(bundle, drift_alpha=opening.drift_alpha, on_drift=opening.on_drift)
    width, height = bundle.manifest.preprocess.size_wh
    blank = Prepared.given(np.zeros((height, width, 3), np.uint8))
    runs = _runs(bundle, inspector.choice, inspector.predict, inspect.predict)
    batcher, cost = _timed(runs, blank, opening)
    return InspectionModel(
        path=path,
        digest=bundle.digest(),
        inspector=inspector,
        batcher=batcher,
        cost=cost,
        load_s=time.perf_counter() - started,
    )


def _catalog_model(path: Path, bundle: Bundle, opening: Opening, started: float) -> CatalogModel:
    categorizer = Categorizer(bundle)
    width, height = bundle.manifest.preprocess.size_wh
    photo = Prepared.given(np.zeros((height, width, 3), np.uint8))
    (blank,) = rows_of(Item(photos=(photo,)), categorizer.spec, (width, height))

    def predict(session: Session, rows: Sequence[Row]) -> list[RowPrediction]:
        return categorizer.predict(rows, session=session)

    runs = _runs(bundle, categorizer.choice, categorizer.predict, predict)
    batcher, cost = _timed(runs, blank, opening)
    return CatalogModel(
        path=path,
        digest=bundle.digest(),
        categorizer=categorizer,
        batcher=batcher,
        cost=cost,
        load_s=time.perf_counter() - started,
    )


def _runs(
    bundle: Bundle,
    choice: Choice,
    alone: Callable[[Sequence[_Input]], Sequence[_Output]],
    by: Callable[[Session, Sequence[_Input]], Sequence[_Output]],
) -> Runs[_Input, _Output]:
    """The model's own session for a batch that is alone; one with a single thread, for several side by side.

    Side by side they answer more pictures a second than one after the other on all cores: nothing waits for the slowest part of a layer.
    """
    if choice.threads == 1:
        return Runs(alone=alone, beside=alone, workers=this_machine().cores)
    narrow = Session(bundle.read(choice.file), name=choice.file, threads=1)
    check_golden(bundle, choice.file, narrow)
    return Runs(alone=alone, beside=partial(by, narrow), workers=choice.threads)


def _timed(
    runs: Runs[_Input, _Output], blank: _Input, opening: Opening
) -> tuple[Batcher[_Input, _Output], Cost]:
    """A batcher of the size that is best here, and what its batches cost."""
    times = _measure(runs, blank, opening.max_batch)
    cost = fit_cost({size: statistics.median(of_size) for size, of_size in times.items()})
    best = best_batch({size: min(of_size) for size, of_size in times.items()})  # the least disturbed
    return Batcher(runs, cost=cost, max_batch=best, max_waiting=opening.max_waiting), cost


def _measure(runs: Runs[_Input, _Output], blank: _Input, max_batch: int) -> dict[int, list[float]]:
    """Seconds of some batches by their size, all workers busy with such batches; each size is warm afterwards."""
    runs.alone([blank])
    measured = {}
    with ThreadPoolExecutor(runs.workers) as threads:
        for size in sorted({1, 2, 4, max_batch} & set(range(1, max_batch + 1))):
            batches = [[blank] * size for _ in range(runs.workers)]
            times = [_seconds(threads, runs, batches) for _ in range(1 + _TIMED_RUNS)]
            measured[size] = times[1:]  # the first one warms up
    return measured


def _seconds(threads: ThreadPoolExecutor, runs: Runs[_Input, _Output], batches: list[list[_Input]]) -> float:
    started = time.perf_counter()
    list(threads.map(runs.beside, batches))
    return time.perf_counter() - started
