"""An item as it is kept: compact vectors and terms."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.catalog.search.compact import Rows, compact, unit
from vision.catalog.search.signature import BYTES, Signatures, unknown
from vision.catalog.search.values import MAX_PHOTOS, Item, check_id, of_terms, terms_of
from vision.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`rows` int8 (P, D) and `signatures` uint8 (P, 32), one a photo; `terms` in order."""

    item_id: str
    rows: Rows
    signatures: Signatures
    terms: tuple[str, ...]


def entry_of(item: Item, dimension: int) -> Entry:
    """An item in compact form.

    Raises:
        InputError: its id, terms or vectors are not as they should be; the item is named.
    """
    try:
        item_id, terms = check_id(item.item_id), terms_of(item.categories, item.attributes)
        rows = _photos(item.vectors, dimension)
        return Entry(item_id=item_id, rows=rows, signatures=_signatures(item, len(rows)), terms=terms)
    except InputError as error:
        raise InputError(f"item {item.item_id[:64]!r}: {error}") from error


def _photos(vectors: npt.NDArray[np.floating], dimension: int) -> Rows:
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise InputError(f"vectors: expected shape (N, {dimension}), found {vectors.shape}")
    rows = compact(vectors)
    if not 1 <= len(rows) <= MAX_PHOTOS:
        raise InputError(f"vectors: expected 1 to {MAX_PHOTOS}, found {len(rows)}")
    return rows


def _signatures(item: Item, photos: int) -> Signatures:
    if item.signatures is None:
        return unknown(photos)
    if item.signatures.shape != (photos, BYTES) or item.signatures.dtype != np.uint8:
        found = f"{item.signatures.dtype} {item.signatures.shape}"
        raise InputError(f"signatures: expected uint8 ({photos}, {BYTES}), found {found}")
    return item.signatures


def item_of(entry: Entry) -> Item:
    """The item again, with vectors of length 1."""
    categories, attributes = of_terms(entry.terms)
    return Item(
        item_id=entry.item_id,
        vectors=unit(entry.rows),
        categories=categories,
        attributes=attributes,
        signatures=entry.signatures,
    )
