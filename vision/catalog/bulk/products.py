"""Products as they are handed in, and who answers for them: a model here, or whatever keeps to the same protocol, such as a server's client."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from vision.catalog.categorize import Asked, Categorization, Categorizer, RowPrediction
from vision.catalog.item import Item, Row
from vision.errors import CatalogError, ImageError, LoupeError
from vision.machine import this_machine
from vision.preprocess import prepare_bytes

TITLE: Final = "title"
_BATCH_ROWS: Final = 8  # photos a pass; on one thread a larger batch is hardly faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product before anything was decoded.

    Attributes:
        photos: encoded, such as the bytes of JPEG files.
    """

    photos: tuple[bytes, ...] = ()
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


Answer = Categorization | LoupeError


class Categorizes(Protocol):
    """Who answers for products; `answers` is called from several threads.

    Attributes:
        identity: of the model: an answer from another identity may differ.
        levels: names, from the coarsest.
        title_columns: what columns of titles are usually called, the likeliest first; none where titles do not count.
        attributes: names of the attributes that count.
        side_by_side: how many calls at once keep it busy.
    """

    @property
    def identity(self) -> str: ...
    @property
    def levels(self) -> Sequence[str]: ...
    @property
    def title_columns(self) -> Sequence[str]: ...
    @property
    def attributes(self) -> Sequence[str]: ...
    @property
    def side_by_side(self) -> int: ...

    def answers(self, products: Sequence[Product]) -> Sequence[Answer]:
        """An answer a product; an error where there is none for that one, and the others are answered.

        Raises:
            LoupeError: none of them can be answered.
        """
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """A bundle's model in this process. With a session of one thread, calls side by side use all cores."""

    categorizer: Categorizer

    @property
    def identity(self) -> str:
        return f"{self.categorizer.bundle.digest()}:{self.categorizer.choice.file}"

    @property
    def levels(self) -> Sequence[str]:
        return self.categorizer.spec.levels

    @property
    def title_columns(self) -> Sequence[str]:
        spec = self.categorizer.spec
        return () if spec.text is None else (*([spec.title_column] if spec.title_column else []), TITLE)

    @property
    def attributes(self) -> Sequence[str]:
        columns = self.categorizer.spec.attributes
        return columns.names if columns else ()

    @property
    def side_by_side(self) -> int:
        return max(1, this_machine().cores // self.categorizer.choice.threads)

    def answers(self, products: Sequence[Product]) -> list[Answer]:
        """As `Categorizes.answers`: a photo that cannot be decoded is its product's error alone.

        Raises:
            BundleError: the model fails.
        """
        asked = [self._asked(one) for one in products]
        rows = [row for one in asked if isinstance(one, Asked) for row in one.rows]
        predictions = self._predictions(rows)
        return [
            self.categorizer.categorize(one, list(islice(predictions, len(one.rows))))
            if isinstance(one, Asked)
            else one
            for one in asked
        ]

    def _asked(self, product: Product) -> Asked | LoupeError:
        spec = self.categorizer.bundle.manifest.preprocess
        try:
            photos = tuple(
                prepare_bytes(data, spec, name=f"photo {number}")
                for number, data in enumerate(product.photos, start=1)
            )
            return self.categorizer.ask(
                Item(photos=photos, title=product.title, attributes=product.attributes)
            )
        except (ImageError, CatalogError) as error:
            return error

    def _predictions(self, rows: Sequence[Row]) -> Iterator[RowPrediction]:
        for first in range(0, len(rows), _BATCH_ROWS):
            yield from self.categorizer.predict(rows[first : first + _BATCH_ROWS])
