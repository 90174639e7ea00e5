"""A table of products through a model, in parts that are on the disk as soon as they are done: a kill costs what is in flight and no more.

Beside the results `OUT` lies `OUT.parts` until they are complete: `job.json`, which says what the answers depend on, and a file for every
`part_rows` rows, written whole or not at all. Who runs the same job again goes on behind the last of them; another job is refused. The photos
themselves are taken to stay as they are.
"""

import json
import shutil
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from vision.catalog.bulk.items import Columns, Row, count_rows, digest, photos_of, read_rows
from vision.catalog.bulk.products import Categorizes, Load, Product
from vision.catalog.bulk.results import Record, part_text, read_part, record, write_results
from vision.errors import SettingsError, StorageError
from vision.files import held, remove_unfinished, write_bytes, write_json
from vision.image import read_bytes

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
        with closing(_answered(job, parts, done, again)) as answered:
            for part, found in groupby(answered, key=itemgetter(0)):
                records: list[Record] = []
                for _, one in found:
                    records.append(one)
                    advance(finished + len(records), rows)
                write_bytes(part, part_text(records))
                finished += len(records)
        _check_same(job)  # nobody changed the table meanwhile
        for part in parts:
            account.statuses.update(one["status"] for one in read_part(part))
        write_results(job.out, parts, job.by.levels)
        _remove(job.folder)
    return account


def _remove(folder: Path) -> None:
    """The note goes after the parts: parts without it would be taken for somebody else's if a kill comes between."""
    for part in folder.glob("*part-*"):  # unfinished ones as well
        part.unlink()
    (folder / _JOB).unlink()
    shutil.rmtree(folder)


@contextmanager
def _begun(job: Job) -> Iterator[None]:
    """Hold the job's folder, made where it is not there, against others and other jobs."""
    note = job.folder / _JOB
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        names = {one.name for one in job.folder.iterdir()}
    except OSError as error:
        raise StorageError(f"{job.folder}: cannot be written: {error.strerror}") from error
    others = {
        one for one in names if one != _LOCK and not one.startswith(f".{_JOB}-")
    }  # of a killed beginning
    if others and _JOB not in names:
        raise StorageError(f"{job.folder}: expected no folder or a job's, found one with '{min(others)}'")
    with held(job.folder / _LOCK):
        remove_unfinished(job.out)
        remove_unfinished(note)
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
) -> Generator[tuple[Path, Record], None, None]:
    """Records of the parts that are not done, in the rows' order."""
    waiting: deque[tuple[Path, Row]] = deque()

    def handed_in() -> Iterator[Load]:
        rows = read_rows(job.items, job.columns)
        for part in parts:
            for row in islice(rows, job.part_rows):
                if part not in done:
                    waiting.append((part, row))
                    yield partial(_product, job.images, row, again)

    with closing(job.by.answers(handed_in())) as answers:
        for answer in answers:
            part, row = waiting.popleft()
            yield part, record(row.id, answer)


def _product(images: Path, row: Row, again: Mapping[int, int]) -> Product:
    """A row with its photos.

    Raises:
        CatalogError: as `photos_of`.
        ImageError: as `photos_of`, or a photo is not there.
    """
    photos = tuple(read_bytes(path) for path in photos_of(row, images, again))
    return Product(photos=photos, title=row.title, attributes=row.attributes)
