"""A server's model for many products, over one stream: what `vision.catalog.bulk` asks of a bundle's model here."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Final

from vision.catalog.bulk.products import Answer, Load
from vision.client.blocking import Client
from vision.client.catalog_values import Categorized, Indexed, Product
from vision.client.values import CatalogTerms, ModelRef
from vision.errors import (
    AuthenticationError,
    DeadlineError,
    LoupeError,
    NotFoundError,
    OverloadedError,
    RemotePermissionError,
    StateError,
    UnavailableError,
)

_IN_FLIGHT: Final = 32  # a server reads 16 of a stream; as many again are on their way
_DEADLINE_S: Final = 120.0  # for each product: a server that is started again meanwhile is waited for
# Of the server, not of the product: the next one would fare no better.
_NOBODY: Final = (
    AuthenticationError,
    DeadlineError,
    NotFoundError,
    OverloadedError,
    RemotePermissionError,
    UnavailableError,
)


@dataclass(frozen=True, slots=True)
class There:
    """As `vision.catalog.bulk.products.Categorizes`.

    Attributes:
        model: which of the server's models.
        terms: what it tells apart and reads.
    """

    client: Client
    model: ModelRef
    terms: CatalogTerms

    @property
    def identity(self) -> str:
        return f"{self.model.digest}:{self.model.file}"

    @property
    def levels(self) -> Sequence[str]:
        return self.terms.levels

    @property
    def title_columns(self) -> Sequence[str]:
        return self.terms.title_columns

    @property
    def attributes(self) -> Sequence[str]:
        return self.terms.attributes

    def answers(self, products: Iterable[Load]) -> Generator[Answer, None, None]:
        """As `Categorizes.answers`.

        Raises:
            StateError: the server has come to serve another model.
            LoupeError: it refuses the stream, or is not there any more.
        """
        settled: dict[int, Answer] = {}  # by place, until those before them are
        sent: dict[int, int] = {}  # by place among what was sent
        following, number = 0, count()

        def sendable() -> Iterator[Product]:
            for place, load in enumerate(products):
                try:
                    product = load()
                except LoupeError as error:
                    settled[place] = error
                    continue
                sent[next(number)] = place
                yield Product(photos=product.photos, title=product.title, attributes=product.attributes)

        outcomes = self.client.catalog.categorize_many(
            sendable(),
            model=self.model.name,
            priority="bulk",
            in_flight=_IN_FLIGHT,
            deadline_s=_DEADLINE_S,
        )
        with closing(outcomes):
            for outcome in outcomes:
                settled[sent.pop(outcome.index)] = self._answer(outcome.result)
                while following in settled:
                    yield settled.pop(following)
                    following += 1
        while following in settled:
            yield settled.pop(following)
            following += 1

    def _answer(self, result: Categorized | Indexed | LoupeError) -> Answer:
        if isinstance(result, _NOBODY):
            raise result
        if isinstance(result, LoupeError):
            return result
        if (result.model.digest, result.model.file) != (self.model.digest, self.model.file):
            raise StateError(
                f"{self.model.name}: expected the model {self.model.version} ({self.identity}) throughout, "
                f"found {result.model.version} ({result.model.digest}:{result.model.file})"
            )
        return result.category
