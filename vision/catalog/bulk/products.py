"""Products as they are handed in, and who answers for them: a model here, or whatever keeps to the same protocol, such as a server's client."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vision.errors import LoupeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product before anything was decoded.

    Attributes:
        photos: encoded, such as the bytes of JPEG files.
    """

    photos: tuple[bytes, ...] = ()
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Label(Protocol):
    """A level of a path, of which more may be known."""

    @property
    def level(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def probability(self) -> float: ...


class Placed(Protocol):
    """What is kept of an answer, as `vision.catalog.categorize.Categorization` has it."""

    @property
    def status(self) -> StrEnum: ...
    @property
    def levels(self) -> Sequence[Label]: ...
    @property
    def answered(self) -> Sequence[Label]: ...
    @property
    def depth(self) -> int: ...
    @property
    def certified(self) -> bool: ...
    @property
    def novelty(self) -> float: ...
    @property
    def modalities(self) -> Sequence[str]: ...
    @property
    def quality_faults(self) -> Sequence[str]: ...
    @property
    def not_understood(self) -> Mapping[str, str]: ...


Answer = Placed | LoupeError
Load = Callable[[], Product]
"""Gives a product with its photos read; raises a `LoupeError` where it cannot be put to anybody. Called once, from any thread."""


class Categorizes(Protocol):
    """Who answers for products.

    Attributes:
        identity: of the model: an answer from another identity may differ.
        levels: names, from the coarsest.
        title_columns: what columns of titles are usually called, the likeliest first; none where titles do not count.
        attributes: names of the attributes that count.
    """

    @property
    def identity(self) -> str: ...
    @property
    def levels(self) -> Sequence[str]: ...
    @property
    def title_columns(self) -> Sequence[str]: ...
    @property
    def attributes(self) -> Sequence[str]: ...

    def answers(self, products: Iterable[Load]) -> Generator[Answer, None, None]:
        """An answer a product, in their order; an error where there is none for that one. Reads on by no more than keeps it busy.

        Raises:
            LoupeError: nobody answers any more.
        """
        ...
