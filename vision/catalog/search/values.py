"""What goes into an index and what comes out: items, filters, hits."""

import sys
import unicodedata
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from vision.catalog.search.compact import Floats
from vision.catalog.search.signature import Signatures
from vision.errors import InputError

MAX_ID_BYTES: Final = 256
MAX_PHOTOS: Final = 256
MAX_TERMS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A product as it is searched for.

    Attributes:
        vectors: float32 (P, D), one a photo, P at least 1.
        categories: ids of every category it is in, those above them included: what it is found under.
        attributes: such as `colour: red`, by the values of which it is found.
        signatures: uint8 (P, 32), one a photo (`search.signature`), for telling copies; zeros where one is not known.
    """

    item_id: str
    vectors: Floats
    categories: Set[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    signatures: Signatures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The item is to be forgotten."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which items count: all by default.

    Attributes:
        categories: in any of these; none: in any at all.
        kinds: the same once more: in any of these as well.
        attributes: for each name, with one of its values.
        exclude: not these items.
    """

    categories: Set[str] = frozenset()
    kinds: Set[str] = frozenset()
    attributes: Mapping[str, Set[str]] = field(default_factory=dict)
    exclude: Set[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An item that was found.

    Attributes:
        similarity: cosine of its most similar photo, -1 to 1.
        photo: which one that is, from 0.
    """

    item_id: str
    similarity: float
    photo: int


def check_id(item_id: str) -> str:
    """The id itself.

    Raises:
        InputError: it is empty, longer than `MAX_ID_BYTES` in UTF-8, or holds control characters or lone surrogates.
    """
    if not item_id or len(item_id.encode(errors="surrogatepass")) > MAX_ID_BYTES:
        raise InputError(f"item_id: expected 1 to {MAX_ID_BYTES} bytes, found '{item_id[:MAX_ID_BYTES]}'")
    return _plain(item_id, "item_id")


def checked(removal: Removal) -> Removal:
    """The removal itself.

    Raises:
        InputError: as `check_id`.
    """
    check_id(removal.item_id)
    return removal


def category_term(category: str) -> str:
    """What stands for a category among an item's terms."""
    return sys.intern("c" + _plain(category, "categories"))  # many items share it


def attribute_term(name: str, value: str) -> str:
    """What stands for an attribute's value among an item's terms."""
    return sys.intern(f"a{_plain(name, 'attributes')}\n{_plain(value, f'attributes.{name}')}")


def terms_of(categories: Set[str], attributes: Mapping[str, str]) -> tuple[str, ...]:
    """An item's terms, in order.

    Raises:
        InputError: more than `MAX_TERMS`, or one of them holds control characters.
    """
    if len(categories) + len(attributes) > MAX_TERMS:
        raise InputError(
            f"categories, attributes: expected at most {MAX_TERMS}, found {len(categories) + len(attributes)}"
        )
    terms = {category_term(one) for one in categories}
    terms |= {attribute_term(name, value) for name, value in attributes.items()}
    return tuple(sorted(terms))


def of_terms(terms: tuple[str, ...]) -> tuple[frozenset[str], dict[str, str]]:
    """Categories and attributes again."""
    pairs = [term[1:].split("\n") for term in terms if term[0] == "a"]
    return frozenset(term[1:] for term in terms if term[0] == "c"), dict(pairs)


def _plain(text: str, name: str) -> str:
    """Text without control characters (which part terms) and lone surrogates (which no file can hold)."""
    if not text.isprintable() and any(unicodedata.category(one) in {"Cc", "Cs"} for one in text):
        raise InputError(f"{name}: expected text without control characters, found {text[:MAX_ID_BYTES]!r}")
    return text
