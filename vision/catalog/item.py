"""One product as it is handed in, and the rows that a model takes for it: one a photo, or a blank one where there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.catalog import attributes as attribute_values
from vision.catalog import text
from vision.catalog.folding import fold
from vision.catalog.outputs import ATTRIBUTES, IMAGE, NO_IMAGE, TEXT
from vision.catalog.spec import CatalogSpec
from vision.errors import CatalogError
from vision.image import Pixels
from vision.preprocess import Prepared

MAX_TITLE: Final = 10_000
"""Characters of a title; a longer one is something else than a title. The model reads its beginning (`TextSpec.max_chars`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A product: photos, a title and attributes, each of them optional.

    Attributes:
        photos: prepared as the bundle's model takes them.
    """

    photos: tuple[Prepared, ...] = ()
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model's inputs for one photo of an item: uint8 (H, W, 3), and what goes in beside it, without the batch axis."""

    image_hwc: Pixels
    beside: Mapping[str, npt.NDArray[np.generic]]


def given_modalities(item: Item, spec: CatalogSpec) -> tuple[str, ...]:
    """Which of the model's modalities an item has.

    Raises:
        CatalogError: none of them.
    """
    ids = _ids(item, spec)
    there = {IMAGE: bool(item.photos), **{name: bool(one.any()) for name, one in ids.items()}}
    found = tuple(name for name in spec.modalities if there[name])
    if not found:
        told = ", ".join(name for name in (TEXT, ATTRIBUTES) if name in spec.modalities)
        raise CatalogError(
            f"item: expected a photo{f', or any of {told}' if told else ''} that can be read, found none"
        )
    return found


def check_title(title: str) -> None:
    """Refuse what is no title.

    Raises:
        CatalogError: it is longer than `MAX_TITLE`.
    """
    if len(title) > MAX_TITLE:
        raise CatalogError(f"title: expected at most {MAX_TITLE} characters, found {len(title)}")


def rows_of(item: Item, spec: CatalogSpec, size_wh: tuple[int, int]) -> tuple[Row, ...]:
    """A row a photo; without any, one with a blank picture.

    Raises:
        CatalogError: the item has nothing that the model reads.
    """
    seen = IMAGE in given_modalities(item, spec)
    beside: dict[str, npt.NDArray[np.generic]] = {**_ids(item, spec)}
    if len(spec.modalities) > 1:
        beside[NO_IMAGE] = np.array(0.0 if seen else 1.0, np.float32)
    blank = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    pictures = [one.image_hwc for one in item.photos] or [blank]
    return tuple(Row(image_hwc=picture, beside=beside) for picture in pictures)


_tokens: Final = lru_cache(maxsize=64)(text.tokenise)  # of one item it is asked several times


def _ids(item: Item, spec: CatalogSpec) -> dict[str, npt.NDArray[np.int64]]:
    ids = {}
    if spec.text:
        ids[TEXT] = _tokens(item.title, spec.text).ids
    if spec.attributes:
        ids[ATTRIBUTES] = attribute_values.encode(item.attributes, spec.attributes)
    return ids


def highest_ids(spec: CatalogSpec) -> dict[str, npt.NDArray[np.int64]]:
    """A batch of one, (1, L) and (1, A), of the largest ids that titles and attributes can have: a model must have rows for them."""
    ids = {}
    if spec.text:
        ids[TEXT] = np.full((1, spec.text.length), spec.text.buckets - 1, np.int64)
    if spec.attributes:
        ids[ATTRIBUTES] = np.array([spec.attributes.sizes], np.int64) - 1
    return ids


def stacked(rows: Sequence[Row]) -> tuple[Pixels, dict[str, npt.NDArray[np.generic]]]:
    """A batch: pictures (N, H, W, 3), and each further input with a row a picture."""
    beside = {name: np.stack([row.beside[name] for row in rows]) for name in rows[0].beside}
    return np.stack([row.image_hwc for row in rows]), beside


def not_understood(item: Item, spec: CatalogSpec) -> dict[str, str]:
    """Attributes that were told and that the model has not learned; all of them where it reads none."""
    if spec.attributes is None:
        return {name: value for name, value in item.attributes.items() if fold(value)}
    return attribute_values.unknown(item.attributes, spec.attributes)
