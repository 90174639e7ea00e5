"""The table of products to categorise: CSV or Parquet, row by row, so that its size does not matter.

Columns: `id`; `path` or `paths`, photos below a folder, several separated by `|`; a title and attributes under whatever names. Other columns
are passed over. A cell may be empty.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vision.catalog.bulk.parquet import SUFFIX, load_pyarrow
from vision.errors import CatalogError, ImageError, ManifestError

BETWEEN_PATHS: Final = "|"
_ID: Final = "id"
_PATHS: Final = ("paths", "path")
_ROWS_AT_ONCE: Final = 1024
_CELL_CHARS: Final = 1 << 26  # more is an open quote rather than a title


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns count beside `id`: that of the photos, the title, and each attribute's; those that are not there are empty."""

    paths: str | None
    title: str | None
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A product of the table; `number` counts from 1, the header not included."""

    number: int
    id: str
    paths: tuple[str, ...]
    title: str
    attributes: Mapping[str, str]


def choose_columns(
    file: Path, *, title: str | None, usual_titles: Sequence[str], attributes: Sequence[str]
) -> Columns:
    """The columns of a table that count.

    Args:
        title: the column that was asked for.
        usual_titles: those to take otherwise, the first that is there.
        attributes: names that the model knows.

    Raises:
        ManifestError: the file cannot be read, has no `id`, not the asked title, or nothing to tell products by.
    """
    names = _header(file)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ManifestError(f"{file}: expected each column once, found '{repeated[0]}' again")
    for name in (_ID, *([title] if title else [])):
        if name not in names:
            raise ManifestError(f"{file}: expected a column '{name}', found {', '.join(names) or 'none'}")
    found = Columns(
        paths=next((name for name in _PATHS if name in names), None),
        title=title or next((name for name in usual_titles if name in names), None),
        attributes=tuple(name for name in attributes if name in names),
    )
    if not (found.paths or found.title or found.attributes):
        wanted = [*_PATHS, *usual_titles, *attributes]
        raise ManifestError(f"{file}: expected a column of {', '.join(wanted)}, found {', '.join(names)}")
    return found


def read_rows(file: Path, columns: Columns) -> Iterator[Row]:
    """The products in their order.

    Raises:
        ManifestError: the file cannot be read, or a row has more cells than the header.
    """
    for number, cells in enumerate(_cells(file), start=1):
        paths = cells.get(columns.paths) if columns.paths else None
        listed = paths if isinstance(paths, list) else _text(paths).split(BETWEEN_PATHS)
        yield Row(
            number=number,
            id=_text(cells[_ID]).strip(),
            paths=tuple(one for one in (_text(path).strip() for path in listed) if one),
            title=_text(cells[columns.title]) if columns.title else "",
            attributes={name: _text(cells[name]) for name in columns.attributes},
        )


def count_rows(file: Path, columns: Columns) -> tuple[int, Mapping[int, int]]:
    """How many products there are, and for those whose id came before, by number, the number where it came first."""
    first: dict[str, int] = {}
    again: dict[int, int] = {}
    count = 0
    for row in read_rows(file, columns):
        count = row.number
        if first.setdefault(row.id, count) != count:
            again[count] = first[row.id]
    return count, again


def photos_of(row: Row, images: Path, again: Mapping[int, int]) -> tuple[Path, ...]:
    """Where a row's photos lie below `images`; `again` is what `count_rows` told.

    Raises:
        CatalogError: its id is missing, or came before.
        ImageError: a path leads out of the folder.
    """
    if not row.id:
        raise CatalogError("id: expected one, found none")
    if row.number in again:
        raise CatalogError(f"id: expected each once, found '{row.id}' in row {again[row.number]} already")
    for path in map(Path, row.paths):
        if path.is_absolute() or ".." in path.parts:
            raise ImageError(f"path: expected one below the folder of images, found '{path}'")
    return tuple(images / path for path in row.paths)


def digest(file: Path) -> str:
    """SHA-256 of the file.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from error


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _header(file: Path) -> list[str]:
    if file.suffix == SUFFIX:
        with _parquet(file) as opened:
            return [str(name) for name in opened.schema_arrow.names]
    return next(_lines(file), [])


def _cells(file: Path) -> Iterator[Mapping[str, Any]]:
    if file.suffix == SUFFIX:
        with _parquet(file) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
        return
    lines = _lines(file)
    names = next(lines, [])
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise ManifestError(
                f"{file}: row {number}: expected {len(names)} cells as in the header, found {len(line)}"
            )
        yield dict(zip(names, line, strict=True))


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    pyarrow = load_pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            yield opened
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(f"{file}: expected a Parquet file that can be read: {error}") from error


def _lines(file: Path) -> Iterator[list[str]]:
    """A CSV's lines that are not empty."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.reader(source, strict=True)
            while (line := _next(reader)) is not None:
                if line:
                    yield line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{file}: expected a CSV in UTF-8 that can be read: {error}") from error


def _next(reader: Iterator[list[str]]) -> list[str] | None:
    """The next line, however long a cell is up to `_CELL_CHARS`: by the module's own limit, which counts for the process, one would refuse the table."""
    usual = csv.field_size_limit(_CELL_CHARS)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(usual)
