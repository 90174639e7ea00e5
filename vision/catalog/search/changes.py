"""Changes as a journal's payload: puts and removals, as they were committed together.

    4 bytes     length of the head
    head        JSON: one object a change
    rows        int8, of all puts, one after the other
    signatures  uint8, in the same order

It knows nothing of frames and files.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vision.catalog.search.entry import Entry
from vision.catalog.search.signature import BYTES
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
    rows, signatures = [], []
    for change in changes:
        if isinstance(change, Entry):
            values.append(_Put(item_id=change.item_id, photos=len(change.rows), terms=change.terms))
            rows.append(change.rows.tobytes())
            signatures.append(change.signatures.tobytes())
        else:
            values.append(_Remove(item_id=change.item_id))
    head = _CHANGES.dump_json(values)
    return _LENGTH.pack(len(head)) + head + b"".join(rows + signatures)


def in_parts(changes: Iterable[Change], most_bytes: int) -> Iterator[list[Change]]:
    """Changes in their order, as many at a time as come to `most_bytes` when they are packed; one that is more is alone."""
    part: list[Change] = []
    size = 0
    for change in changes:
        alone = len(packed([change]))  # together they are less: the head's frame is there once
        if part and size + alone > most_bytes:
            yield part
            part, size = [], 0
        part.append(change)
        size += alone
    if part:
        yield part


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
    found = len(payload) - start
    if found != photos * (dimension + BYTES):
        raise SearchIndexError(
            f"{name}: expected {photos} vectors of {dimension} bytes and signatures of {BYTES}, found {found} bytes"
        )
    end = start + photos * dimension
    rows = np.frombuffer(payload[start:end], np.int8).reshape(photos, dimension)
    signatures = np.frombuffer(payload[end:], np.uint8).reshape(photos, BYTES)
    changes: list[Change] = []
    for value in values:
        if isinstance(value, _Put):
            first, rows = rows[: value.photos], rows[value.photos :]
            own, signatures = signatures[: value.photos], signatures[value.photos :]
            changes.append(Entry(item_id=value.item_id, rows=first, signatures=own, terms=value.terms))
        else:
            changes.append(Removal(item_id=value.item_id))
    return changes
