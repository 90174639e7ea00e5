"""Search by picture: a million items in a compact index on one core, and how many of the true neighbours it finds.

    python benchmarks/catalog_search.py --data FASHION --data GROCERY [--bundle BUNDLE] [--work DIR]
    python benchmarks/catalog_search.py --embeddings FILE.npz [--vectors 1000000]

Takes catalogs' folders (each with a `manifest.csv` whose paths are relative to it), or their embeddings as an earlier run left them; without
either, made-up ones, which say how quick search is and little of what it finds. These vectors and others drawn around them
(`benchmarks.catalog_vectors`) are searched by a graph; the truth is exact search over the projected vectors in float32, and on the real ones
also over the network's own embeddings.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from benchmarks.catalog_copies import duplicates
from benchmarks.catalog_embeddings import COPY, ICONIC, Pictures, made_up, pictures, read
from benchmarks.catalog_vectors import COUNT, Collection, Numbers, Surroundings, Vectors, true_neighbours
from benchmarks.common import Figure, emit, parser
from vision.catalog.projection import Projection, fit
from vision.catalog.search.index import ItemIndex, Options
from vision.catalog.search.rebuild import rebuild
from vision.catalog.search.values import Hit, Item

ROOT: Final = Path(__file__).parents[1]
QUERIES: Final = 1000
MADE_UP: Final = 5000
EXACT_QUERIES: Final = 100
FITTED_ON: Final = 4000
STARTS: Final = 5
_GRAPH: Final = Options(graph_from=0)
_MODEL: Final = "benchmark"


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument(
        "--data", type=Path, action="append", default=[], help="a catalog's folder; repeatable"
    )
    options.add_argument("--bundle", type=Path, help="whose embeddings to take; those of the warm start else")
    options.add_argument("--embeddings", type=Path, help="where they are, or are to be kept")
    options.add_argument("--vectors", type=int, default=1_000_000, help="how many, the real ones among them")
    options.add_argument("--work", type=Path, help="where to keep what was computed")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        work = given.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        emit(
            figures(
                _pictures(given.embeddings or work / "embeddings.npz", given.data, given.bundle),
                given.vectors,
                work,
            )
        )


def _pictures(kept: Path, folders: Sequence[Path], bundle: Path | None) -> Pictures:
    if kept.exists():
        return read(kept)
    if not folders:
        return made_up(MADE_UP)
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("embeddings", total=None)
        return pictures(folders, kept, bundle, advance=lambda done: progress.advance(task, done))


def figures(found: Pictures, size: int, work: Path) -> list[Figure]:
    """All of them; the indexes are made in `work`."""
    train = np.flatnonzero(found.split == "train")
    some = np.random.default_rng(0).choice(train, min(FITTED_ON, len(train)), replace=False)
    projection = fit(found.embeddings[np.sort(some)])
    shop = found.where(~np.isin(found.split, (ICONIC, COPY)))
    surroundings = Surroundings.of(projection.project(shop.embeddings), shop.fine)
    real = Collection(pictures=shop, surroundings=surroundings, size=len(shop.fine))
    note = f"{found.model}, {projection.dimension} dimensions"
    large = f"{size} vectors, {min(size, real.size)} of them real; {note}"
    return [
        *measured(replace(real, size=size), work / "large", "search", large),
        *measured(real, work / "real", "search_real", f"{real.size} real vectors, graph forced; {note}"),
        *against_embeddings(real, work / "real", note),
        *iconic(found, projection, work / "iconic", note),
        *duplicates(found, projection, work / "real", note),
    ]


def measured(collection: Collection, folder: Path, name: str, note: str) -> list[Figure]:
    """An index with a graph: its size, how it is made and opened, what it finds and how soon."""
    started = time.perf_counter()
    rebuild(folder, collection.items(), model=_MODEL, dimension=collection.dimension, options=_GRAPH)
    built_s = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / collection.size
    return [
        Figure(name=f"{name}_bytes_a_vector", value=round(size, 1), unit="bytes", note=f"in files; {note}"),
        Figure(
            name=f"{name}_build",
            value=round(built_s, 1),
            unit="s",
            note=f"one thread, ids and filters included; at most {memory:.1f} GiB of memory",
        ),
        *_found(collection, folder, name, note),
        _start(folder, collection.dimension, f"{name}_start"),
    ]


@dataclass(frozen=True, slots=True)
class Answers:
    """What searches found, and how long each took in milliseconds, by the clock and of the core's own time."""

    hits: list[tuple[Hit, ...]]
    times_ms: npt.NDArray[np.float64]
    core_ms: npt.NDArray[np.float64]

    def recall(self, truth: Numbers) -> float:
        """The share of the true neighbours (Q, COUNT) that was found; ids are numbers."""
        shares = [
            len({int(hit.item_id) for hit in hits} & set(numbers.tolist())) / COUNT
            for hits, numbers in zip(self.hits, truth, strict=True)
        ]
        return round(float(np.mean(shares)), 4)

    def p99(self, name: str, target: str | None, note: str) -> Figure:
        """The 99th percentile by the clock, its spread from the median to the longest."""
        return _p99(name, self.times_ms, target, note)

    def core_p99(self, name: str) -> Figure:
        """The same of the core's own time: what the clock would say if nobody else wanted the core."""
        return _p99(name, self.core_ms, None, "the core's own time, without what others took of it")


def _p99(name: str, times_ms: npt.NDArray[np.float64], target: str | None, note: str) -> Figure:
    middle, late, last = (round(float(one), 3) for one in np.quantile(times_ms, [0.5, 0.99, 1]))
    spread = (middle, last)
    return Figure(
        name=name, value=late, unit="ms", target=target, runs=len(times_ms), spread=spread, note=note
    )


def asked(queries: Iterable[Vectors], search: Callable[[Vectors], tuple[Hit, ...]]) -> Answers:
    """Ask one after the other, by one thread that stays on its core."""
    hits, times, core = [], [], []
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        for query in queries:
            started, of_core = time.perf_counter(), time.thread_time()
            hits.append(search(query))
            core.append(1000 * (time.thread_time() - of_core))
            times.append(1000 * (time.perf_counter() - started))
    finally:
        os.sched_setaffinity(0, cores)
    return Answers(hits, np.array(times), np.array(core))


def _opened(folder: Path, dimension: int) -> ItemIndex:
    return ItemIndex.open(folder, model=_MODEL, dimension=dimension, options=_GRAPH)


def _found(collection: Collection, folder: Path, name: str, note: str) -> list[Figure]:
    queries = collection.queries(QUERIES)
    truth = true_neighbours(queries, (vectors for vectors, _ in collection.blocks()))
    with _opened(folder, collection.dimension) as index:
        asked(queries[:EXACT_QUERIES], lambda query: index.search(query, COUNT))  # to warm up
        usual = asked(queries, lambda query: index.search(query, COUNT))
        exact = asked(queries[:EXACT_QUERIES], lambda query: index.search(query, COUNT, exact=True))
        filtered = _filtered(index, queries, collection)
    short = sum(len(hits) < COUNT for hits in filtered.hits)
    return [
        Figure(
            name=f"{name}_recall_at_10",
            value=usual.recall(truth),
            unit="ratio",
            target=">= 0.95",
            runs=QUERIES,
            note=f"against exact search in float32; {note}",
        ),
        Figure(
            name=f"{name}_exact_recall_at_10",
            value=exact.recall(truth[:EXACT_QUERIES]),
            unit="ratio",
            runs=EXACT_QUERIES,
            note="all compact vectors compared: what one byte a dimension costs",
        ),
        usual.p99(f"{name}_p99", "<= 10", "one core; spread: median and longest"),
        usual.core_p99(f"{name}_core_p99"),
        exact.p99(f"{name}_exact_p99", None, "all compact vectors compared"),
        filtered.p99(f"{name}_filtered_p99", None, "within the class and split of another picture"),
        filtered.core_p99(f"{name}_filtered_core_p99"),
        Figure(
            name=f"{name}_filtered_short",
            value=short,
            unit="searches",
            target="<= 0",
            runs=QUERIES,
            note=f"with fewer than {COUNT} hits though there are as many",
        ),
    ]


def _filtered(index: ItemIndex, queries: Vectors, collection: Collection) -> Answers:
    """Each query within the class and split of a picture that has nothing to do with it, where these have `COUNT` items at least."""
    found = collection.pictures
    kinds = np.array([f"{collection.category(row)}\n{found.split[row]}" for row in range(len(found.fine))])
    names, counts = np.unique(kinds, return_counts=True)
    enough = np.flatnonzero(np.isin(kinds, names[counts >= COUNT]))
    rows = iter(np.random.default_rng(1).choice(enough, len(queries)))

    def search(query: Vectors) -> tuple[Hit, ...]:
        category, split = kinds[next(rows)].split("\n")
        return index.search(query, COUNT, categories={category}, attributes={"split": {split}})

    return asked(queries, search)


def _start(folder: Path, dimension: int, name: str) -> Figure:
    times = []
    for _ in range(STARTS):
        for path in folder.rglob("*"):
            if path.is_file():
                _drop(path)
        command = [sys.executable, "-m", "benchmarks.catalog_start", str(folder), _MODEL, str(dimension)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        times.append(float(done.stdout))
    low, middle, high = (round(float(one), 3) for one in np.quantile(times, [0, 0.5, 1]))
    note = (
        "from opening to the first answer, all digests compared, nothing of the files in the system's cache"
    )
    return Figure(
        name=name, value=middle, unit="s", target="<= 2", runs=STARTS, spread=(low, high), note=note
    )


def _drop(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def against_embeddings(real: Collection, folder: Path, note: str) -> list[Figure]:
    """What is kept of the neighbours by the network's own embeddings: by the projection, the byte a dimension and the graph together."""
    whole = real.pictures.embeddings
    whole = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    rows = np.random.default_rng(2).choice(len(whole), min(QUERIES, len(whole)), replace=False)
    similar = whole[rows] @ whole.T
    similar[np.arange(len(rows)), rows] = -2
    truth = np.argpartition(-similar, COUNT, axis=1)[:, :COUNT]
    numbers = iter(rows)
    with _opened(folder, real.dimension) as index:
        found = asked(
            real.surroundings.real[rows],
            lambda query: index.search(query, COUNT, exclude={f"{next(numbers):07}"}),
        )
    return [
        Figure(
            name="search_real_recall_at_10_of_embeddings",
            value=found.recall(truth),
            unit="ratio",
            runs=len(rows),
            note=f"against exact search over all {whole.shape[1]} dimensions; {note}",
        )
    ]


def iconic(found: Pictures, projection: Projection, folder: Path, note: str) -> list[Figure]:
    """Photographs of the test part, and whether the picture of their class is among the nearest."""
    vectors = projection.project(found.embeddings)
    shown = np.flatnonzero(found.split == ICONIC)
    asking = np.flatnonzero((found.split == "test") & np.isin(found.catalog, found.catalog[shown]))
    items = [Item(item_id=str(found.fine[row]), vectors=vectors[row][None]) for row in shown]
    rebuild(folder, items, model=_MODEL, dimension=projection.dimension)
    with ItemIndex.open(folder, model=_MODEL, dimension=projection.dimension) as index:
        hits = [[hit.item_id for hit in index.search(vectors[row], 5)] for row in asking]
    of = f"{len(asking)} photographs of the test part, {len(shown)} iconic pictures"
    figures = []
    for most, target in ((1, ">= 0.89"), (5, None)):
        right = sum(str(found.fine[row]) in near[:most] for row, near in zip(asking, hits, strict=True))
        share = round(right / max(len(asking), 1), 4)
        name = f"search_iconic_top_{most}"
        figures.append(
            Figure(
                name=name,
                value=share,
                unit="accuracy",
                target=target,
                runs=len(asking),
                note=f"{of}; {note}",
            )
        )
    return figures


if __name__ == "__main__":
    main()
