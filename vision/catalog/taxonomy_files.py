"""A tree of categories from a file that people keep: CSV, one row a category or one row a leaf, or JSON.

Takes a path and, where the file does not tell, which columns are levels; gives a `Taxonomy`. Complaints name the file, the line and the
column. What makes a tree sound is not known here: `vision.catalog.taxonomy_faults` knows.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vision.catalog.category import UNDETERMINED, Category, spanned, told
from vision.catalog.taxonomy import Taxonomy
from vision.catalog.taxonomy_faults import Fault, FaultyTaxonomyError
from vision.errors import CatalogError

_COLUMNS: Final = ("id", "level", "parent", "name", "synonyms", "moved_to")
_NAME: Final = "name:"  # and a language
_SEPARATOR: Final = "|"

_Row = tuple[int, Mapping[str, str]]  # its line, and its values by column, without blanks around them
_Node = tuple[str, str]  # level and id


def read_taxonomy(path: Path, *, levels: Sequence[str] = (), version: str = "1") -> Taxonomy:
    """Read `.json` as `Taxonomy.to_json` writes it, and anything else as CSV.

    A CSV with the columns `id` and `level` has one row a category; its levels stand in `levels`, or in the order in which they first
    occur. Any other has one row a leaf, with the columns that `levels` names.

    Args:
        levels: from the coarsest.
        version: of a CSV; JSON tells its own.

    Raises:
        CatalogError: a line for each fault, with the file, the row, the field, what was expected and what was found.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{path}: expected a taxonomy file: {error.strerror}") from error
    text = _decoded(path, content)
    if path.suffix.lower() == ".json":
        read = Taxonomy.from_json(text, source=str(path))
        if levels and tuple(levels) != read.levels:
            raise CatalogError(
                f"{path}: levels: expected {', '.join(levels)}, found {', '.join(read.levels)}"
            )
        return read
    columns, rows = _table(path, text)
    if "id" in columns and "level" in columns:
        return _from_categories(path, columns, rows, levels, version)
    return _from_leaves(path, columns, rows, levels, version)


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogError(
            f"{path}: line {line}: expected UTF-8 text, found the byte 0x{content[error.start]:02X}"
        ) from error


def _table(path: Path, text: str) -> tuple[tuple[str, ...], tuple[_Row, ...]]:
    # strict: or an open quote swallows the rows after it
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = tuple(name.strip() for name in next(reader, ()))
        repeated = next((name for name in columns if columns.count(name) > 1), None)
        if repeated is not None:
            raise CatalogError(f"{path}: line 1: expected each column once, found '{repeated}' again")
        return columns, tuple(_rows(path, reader, columns))
    except csv.Error as error:
        raise CatalogError(f"{path}: line {reader.line_num}: expected CSV: {error}") from error


def _rows(path: Path, reader: Iterator[list[str]], columns: Sequence[str]) -> Iterator[_Row]:
    line = 2
    for cells in reader:
        values = [cell.strip() for cell in cells]
        if any(values[len(columns) :]):
            raise CatalogError(
                f"{path}: line {line}: expected {len(columns)} values as in the header, found {len(values)}"
            )
        if any(values):
            values += [""] * (len(columns) - len(values))
            yield line, dict(zip(columns, values, strict=False))
        line = reader.line_num + 1  # type: ignore[attr-defined]


def _from_leaves(
    path: Path, columns: Sequence[str], rows: Sequence[_Row], levels: Sequence[str], version: str
) -> Taxonomy:
    absent = [level for level in levels if level not in columns]
    if absent or not levels:
        wanted = f"a column '{absent[0]}'" if absent else "the columns id and level, or to be told the levels"
        raise CatalogError(f"{path}: expected {wanted}, found: {', '.join(columns) or 'no header'}")
    lines: dict[_Node, int] = {}
    leaves: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        try:
            leaf = told(levels, [row[level] for level in levels])
        except CatalogError as error:
            raise CatalogError(f"{path}: line {line}: {error}") from error
        if leaves.setdefault(leaf, line) != line:
            raise CatalogError(
                f"{path}: line {line}: expected each leaf once, found {' > '.join(leaf)} as in line {leaves[leaf]}"
            )
        for node in zip(levels, leaf, strict=False):
            lines.setdefault(node, line)

    def where(fault: Fault) -> str:
        line = lines.get((fault.level, fault.id))
        return f"{path}: line {line}: {fault.level}" if line else f"{path}: {fault.where()}"

    return _built(version, tuple(levels), spanned(levels, leaves), {}, where)


def _from_categories(
    path: Path, columns: Sequence[str], rows: Sequence[_Row], levels: Sequence[str], version: str
) -> Taxonomy:
    strange = [name for name in columns if name not in _COLUMNS and not name.startswith(_NAME)]
    if strange:
        raise CatalogError(
            f"{path}: line 1: expected the columns {', '.join(_COLUMNS)} and {_NAME}LANGUAGE, found '{strange[0]}'"
        )
    lines: list[int] = []
    categories: list[Category] = []
    moved: dict[str, dict[str, str]] = {}
    moved_lines: dict[_Node, int] = {}
    for line, row in rows:
        if not row.get("moved_to"):
            lines.append(line)
            categories.append(_category(row))
            continue
        node = (row["level"], row["id"])
        if moved_lines.setdefault(node, line) != line:
            raise CatalogError(
                f"{path}: line {line}: moved_to: expected each old id once, found '{row['id']}' "
                f"as in line {moved_lines[node]}"
            )
        moved.setdefault(row["level"], {})[row["id"]] = row["moved_to"]

    def where(fault: Fault) -> str:
        line = moved_lines.get((fault.level, fault.id)) if fault.index is None else lines[fault.index]
        category = f": category '{fault.id}'" if fault.id else ""
        return f"{path}: line {line}{category}: {_column(fault)}" if line else f"{path}: {fault.where()}"

    named = tuple(levels) or tuple(dict.fromkeys(category.level for category in categories))
    return _built(version, named, tuple(categories), moved, where)


def _category(row: Mapping[str, str]) -> Category:
    names = {name.removeprefix(_NAME): value for name, value in row.items() if name.startswith(_NAME)}
    names = {UNDETERMINED: row.get("name", ""), **names}
    return Category(
        level=row["level"],
        id=row["id"],
        parents=_split(row.get("parent", "")),
        names={language: name for language, name in names.items() if name},
        synonyms=_split(row.get("synonyms", "")),
    )


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(_SEPARATOR)) if cell else ()


def _column(fault: Fault) -> str:
    """The column that a field of the value was read from."""
    if fault.field.startswith("names."):
        language = fault.field.removeprefix("names.")
        return "name" if language == UNDETERMINED else f"{_NAME}{language}"
    return {"parents": "parent", "names": "name"}.get(fault.field, fault.field)


def _built(
    version: str,
    levels: tuple[str, ...],
    categories: tuple[Category, ...],
    moved: Mapping[str, Mapping[str, str]],
    where: Callable[[Fault], str],
) -> Taxonomy:
    try:
        return Taxonomy(version=version, levels=levels, categories=categories, moved=moved)
    except FaultyTaxonomyError as error:
        raise FaultyTaxonomyError(error.faults, where) from error
