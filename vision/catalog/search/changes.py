"""Changes as a journal's payload: puts and removals, as they were committed together.

4 bytes     length of the head
head        JSON: one object a change
rows        int8, of all puts, one after the other
"""

import struct
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vision.catalog.search.entry import Entry
from vision.catalog.search.values import Removal
from vision.errors import SearchIndexError

Change = Entry | Removal
_LENGTH: Final = struct.Struct("<I")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str


class _Put(_Value):
    kind: Literal["put"] = "put"
    photos: Annotated[int, Field(ge=1)]
    terms: tuple[str, ...]


class _Remove(_Value):
    kind: Literal["remove"] = "remove"


_CHANGES: Final = TypeAdapter(list[Annotated[_Put | _Remove, Field(discriminator="kind")]])


def packed(changes: Sequence[Change]) -> bytes:
    """Changes as bytes."""
    values: list[_Put | _Remove] = []
    rows = []
    for change in changes:
        if isinstance(change, Entry):
            values.append(_Put(item_id=change.item_id, photos=len(change.rows), terms=change.terms))
            rows.append(change.rows.tobytes())
        else:
            values.append(_Remove(item_id=change.item_id))
    head = _CHANGES.dump_json(values)
    return _LENGTH.pack(len(head)) + head + b"".join(rows)


def unpacked(payload: bytes, dimension: int, name: str) -> list[Change]:
    """Changes from bytes; vectors int8 (P, `dimension`).

    Raises:
        SearchIndexError: `name` holds none, or vectors of another dimension.
    """
    try:
        (length,) = _LENGTH.unpack_from(payload)
        start = _LENGTH.size + length
        values = _CHANGES.validate_json(payload[_LENGTH.size : start])
    except (struct.error, ValidationError) as error:
        raise SearchIndexError(f"{name}: expected changes of this version: {error}") from error
    photos = sum(value.photos for value in values if isinstance(value, _Put))
    if len(payload) - start != photos * dimension:
        raise SearchIndexError(
            f"{name}: expected {photos} vectors of {dimension} bytes, found {len(payload) - start} bytes"
        )
    rows = np.frombuffer(payload, np.int8, offset=start).reshape(photos, dimension)
    changes: list[Change] = []
    for value in values:
        if isinstance(value, _Put):
            changes.append(Entry(item_id=value.item_id, rows=rows[: value.photos], terms=value.terms))
            rows = rows[value.photos :]
        else:
            changes.append(Removal(item_id=value.item_id))
    return changes
