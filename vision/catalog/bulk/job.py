"""A table of products through a model, in parts that are on the disk as soon as they are done: a kill costs what is in flight and no more.

Beside the results `OUT` lies `OUT.parts` until they are complete: `job.json`, which says what the answers depend on, and a file for every
`part_rows` rows, written whole or not at all. Who runs the same job again goes on behind the last of them; another job is refused. The photos
themselves are taken to stay as they are.
"""

import json
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from vision.catalog.bulk.items import Columns, Row, count_rows, digest, read_rows
from vision.catalog.bulk.products import Categorizes, Product
from vision.catalog.bulk.results import Record, part_text, read_part, record, write_results
from vision.errors import CatalogError, ImageError, LoupeError, SettingsError, StorageError
from vision.files import held, remove_unfinished, write_bytes, write_json
from vision.image import read_bytes

_BATCH: Final = 8  # products in a call
_AHEAD: Final = 4  # calls handed out for each that is answered at once
_JOB: Final = "job.json"
_LOCK: Final = "lock"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be categorised, by whom, and where the answers go.

    Attributes:
        images: the folder that the table's paths are in.
        part_rows: rows that become safe together.
    """

    items: Path
    columns: Columns
    images: Path
    out: Path
    by: Categorizes
    part_rows: int = 256

    @property
    def folder(self) -> Path:
        """Where parts lie while the results are not complete."""
        return self.out.with_name(f"{self.out.name}.parts")

    def depends_on(self) -> dict[str, Any]:
        """All that the answers depend on but the photos, as JSON has it."""
        return {
            "items": digest(self.items),
            "columns": asdict(self.columns) | {"attributes": list(self.columns.attributes)},
            "images": str(self.images.resolve()),
            "model": self.by.identity,
            "part_rows": self.part_rows,
        }


@dataclass(slots=True)
class Account:
    """What became of the rows."""

    rows: int = 0
    found_done: int = 0  # by an earlier run
    statuses: Counter[str] = field(default_factory=Counter)


def run(job: Job, advance: Callable[[int, int], None] = lambda _done, _all: None) -> Account:
    """Categorise what is not done yet, then put the results in their place.

    Args:
        advance: called with the rows that are done, and all of them, as the work goes on.

    Raises:
        SettingsError: another job was begun here; the message says what differs.
        ManifestError: the table cannot be read.
        StorageError: the disk refused, or another process is at work on the same results.
        LoupeError: nobody can answer any more; what is done stays done.
    """
    with _begun(job):
        rows, again = count_rows(job.items, job.columns)
        parts = [job.folder / f"part-{number:06}.jsonl" for number in range(-(-rows // job.part_rows))]
        done = {part for part in parts if part.exists()}
        account = Account(rows=rows, found_done=sum(len(read_part(part)) for part in done))
        finished = account.found_done
        advance(finished, rows)
        for part, batches in groupby(_answered(job, parts, done, again), key=itemgetter(0)):
            records: list[Record] = []
            for _, found in batches:
                records += found
                advance(finished + len(records), rows)
            write_bytes(part, part_text(records))
            finished += len(records)
        _check_same(job)  # nobody changed the table meanwhile
        for part in parts:
            account.statuses.update(one["status"] for one in read_part(part))
        write_results(job.out, parts, job.by.levels)
        shutil.rmtree(job.folder)
    return account


@contextmanager
def _begun(job: Job) -> Iterator[None]:
    """Hold the job's folder, made where it is not there, against others and other jobs."""
    note = job.folder / _JOB
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        others = [one.name for one in job.folder.iterdir() if one.name != _LOCK]
    except OSError as error:
        raise StorageError(f"{job.folder}: cannot be written: {error.strerror}") from error
    if others and not note.exists():
        raise StorageError(f"{job.folder}: expected no folder or a job's, found one with '{min(others)}'")
    with held(job.folder / _LOCK):
        remove_unfinished(job.out)
        if note.exists():
            _check_same(job)
        else:
            write_json(note, job.depends_on())
        yield


def _check_same(job: Job) -> None:
    note = job.folder / _JOB
    try:
        begun = json.loads(note.read_text())
        differs = [name for name, value in job.depends_on().items() if begun.get(name) != value]
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsError(f"{note}: expected what a job was begun with: {error}") from error
    if differs:
        raise SettingsError(
            f"{job.folder}: expected the job that was begun here, found another: {', '.join(differs)} differ; "
            f"remove the folder to begin anew"
        )


def _answered(
    job: Job, parts: Sequence[Path], done: set[Path], again: Mapping[int, int]
) -> Iterator[tuple[Path, list[Record]]]:
    """Records of the parts that are not done, in the rows' order, a call's at a time."""
    workers = job.by.side_by_side
    waiting: deque[tuple[Path, Future[list[Record]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part, rows in _calls(job, parts, done):
                waiting.append((part, pool.submit(_call, job, rows, again)))
                if len(waiting) == _AHEAD * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for part, future in waiting:
                yield part, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _calls(job: Job, parts: Sequence[Path], done: set[Path]) -> Iterator[tuple[Path, list[Row]]]:
    rows = read_rows(job.items, job.columns)
    for part in parts:
        of_part = list(islice(rows, job.part_rows))
        if part not in done:
            yield from ((part, of_part[first : first + _BATCH]) for first in range(0, len(of_part), _BATCH))


def _call(job: Job, rows: Sequence[Row], again: Mapping[int, int]) -> list[Record]:
    products = [_product(job.images, row, again) for row in rows]
    answers = iter(job.by.answers([one for one in products if isinstance(one, Product)]))
    return [
        record(row.id, next(answers) if isinstance(product, Product) else product)
        for row, product in zip(rows, products, strict=True)
    ]


def _product(images: Path, row: Row, again: Mapping[int, int]) -> Product | LoupeError:
    """A row with its photos, or why it cannot be put to anybody."""
    if not row.id:
        return CatalogError("id: expected one, found none")
    if row.number in again:
        return CatalogError(f"id: expected each once, found '{row.id}' in row {again[row.number]} already")
    try:
        photos = tuple(read_bytes(_below(images, path)) for path in row.paths)
    except ImageError as error:
        return error
    return Product(photos=photos, title=row.title, attributes=row.attributes)


def _below(images: Path, path: str) -> Path:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ImageError(f"path: expected one below the folder of images, found '{path}'")
    return images / path
