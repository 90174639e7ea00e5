"""Which items show a picture that is uploaded once more.

How alike the vectors are does not tell: of garments seen from the front, different ones are often nearer to each other than a picture is
to its own copy at half the size. It tells where to look, and the pictures' signatures tell copies from look-alikes.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.catalog.search.index import ItemIndex
from vision.catalog.search.signature import BYTES, COPY_BITS, Signatures, differing_bits, known
from vision.errors import InputError

LOOKED_AT: Final = 20
"""Nearest items whose signatures are compared."""

SAME: Final = 0.9998
"""Vectors that are as alike are of one picture: a vector and itself in one byte a dimension come to 0.99998."""


class Kind(StrEnum):
    SAME = "same"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """An item with a picture that was uploaded again.

    Attributes:
        kind: `same`: the vectors are equal but for rounding; `copy`: encoded, resized or brightened anew.
        photo: which of its photos.
        similarity: of the vectors, -1 to 1.
    """

    item_id: str
    kind: Kind
    photo: int
    similarity: float


def near_duplicates(
    index: ItemIndex,
    vector: npt.NDArray[np.floating],
    signature: Signatures | None = None,
    *,
    exclude: Set[str] = frozenset(),
) -> tuple[Duplicate, ...]:
    """Items that show the same picture, the nearest first.

    Args:
        vector: (D,).
        signature: the picture's (`search.signature`); without it only equal vectors are found.
        exclude: the item itself, where it is there already.

    Raises:
        InputError: a vector of another dimension, or no signature.
    """
    if signature is not None and (signature.shape != (BYTES,) or signature.dtype != np.uint8):
        raise InputError(f"signature: expected uint8 ({BYTES},), found {signature.dtype} {signature.shape}")
    found = []
    for hit in index.search(vector, LOOKED_AT, exclude=exclude):
        if hit.similarity >= SAME:
            kind = Kind.SAME
        elif signature is not None and _is_copy(signature, index.signatures(hit.item_id)):
            kind = Kind.COPY
        else:
            continue
        found.append(Duplicate(item_id=hit.item_id, kind=kind, photo=hit.photo, similarity=hit.similarity))
    return tuple(found)


def _is_copy(signature: Signatures, others: Iterable[Signatures]) -> bool:
    return any(known(other) and differing_bits(signature, other) <= COPY_BITS for other in others)
