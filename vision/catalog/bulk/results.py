"""A row of answers: what is kept of each, as a JSON line while the work goes on, and as CSV or Parquet in the end.

`label_LEVEL` is filled as deep as is answered for; `probability_LEVEL` and `best_path` speak of the likeliest path, however sure.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from vision.catalog.bulk.parquet import SUFFIX, load_pyarrow
from vision.catalog.bulk.products import Answer
from vision.errors import LoupeError, SettingsError
from vision.files import atomic_path

FAULT: Final = "fault"
"""The status of a row that nobody answered; `error` says why."""
SUFFIXES: Final = (".csv", SUFFIX)
_BETWEEN_LABELS: Final = " > "
_GROUP_ROWS: Final = 65536

Record = Mapping[str, Any]


def column_types(levels: Sequence[str]) -> dict[str, type]:
    """Names and types of the columns in their order."""
    by_level = [(f"label_{level}", str) for level in levels] + [
        (f"probability_{level}", float) for level in levels
    ]
    return {
        "id": str,
        "status": str,
        "depth": int,
        "certified": bool,
        **dict(by_level),
        "best_path": str,
        "novelty": float,
        "modalities": str,
        "quality_faults": str,
        "not_understood": str,
        "error": str,
    }


def record(item: str, answer: Answer) -> Record:
    """What is kept of an answer; columns that are not there are empty."""
    if isinstance(answer, LoupeError):
        return {"id": item, "status": FAULT, "error": str(answer)}
    return {
        "id": item,
        "status": answer.status.value,
        "depth": answer.depth,
        "certified": answer.certified,
        **{f"label_{one.level}": one.label for one in answer.answered},
        **{f"probability_{one.level}": round(one.probability, 6) for one in answer.levels},
        "best_path": _BETWEEN_LABELS.join(one.label for one in answer.levels),
        "novelty": round(answer.novelty, 6),
        "modalities": "+".join(answer.modalities),
        "quality_faults": "; ".join(answer.quality_faults),
        "not_understood": "; ".join(f"{name} = {value}" for name, value in answer.not_understood.items()),
    }


def check_target(out: Path) -> None:
    """Refuse a form of results that is not known, or cannot be written here, before any work is done.

    Raises:
        SettingsError: the name ends in neither `.csv` nor `.parquet`.
        MissingExtraError: pyarrow is not installed.
    """
    if out.suffix not in SUFFIXES:
        raise SettingsError(f"--out: expected a name that ends in {' or '.join(SUFFIXES)}, found '{out}'")
    if out.suffix == SUFFIX:
        load_pyarrow()


def write_results(out: Path, parts: Iterable[Path], levels: Sequence[str]) -> None:
    """Put the parts together, whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    types = column_types(levels)
    with atomic_path(out) as unfinished:
        if out.suffix == SUFFIX:
            _write_parquet(unfinished, (one for part in parts for one in read_part(part)), types)
        else:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, types, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(one for part in parts for one in read_part(part))


def part_text(records: Iterable[Record]) -> bytes:
    """Records as JSON lines."""
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def read_part(part: Path) -> list[dict[str, Any]]:
    """The records of a part."""
    return [json.loads(line) for line in part.read_text().splitlines()]


def _write_parquet(path: Path, records: Iterator[Record], types: Mapping[str, type]) -> None:
    pyarrow = load_pyarrow()
    arrow = {
        str: pyarrow.string(),
        int: pyarrow.int32(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, arrow[one]) for name, one in types.items()])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(records, _GROUP_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
