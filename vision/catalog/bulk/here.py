"""A bundle's model in this process, for many products."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from vision.catalog.bulk.products import Answer, Load
from vision.catalog.categorize import Asked, Categorizer, RowPrediction
from vision.catalog.item import Item, Row
from vision.errors import CatalogError, ImageError, LoupeError
from vision.machine import this_machine
from vision.preprocess import prepare_bytes

_PRODUCTS: Final = 8  # that are answered together
_AHEAD: Final = 4  # such batches handed out for each that is answered at once
_ROWS: Final = 8  # photos a pass; on one thread a larger batch is hardly faster


@dataclass(frozen=True, slots=True)
class Here:
    """As `Categorizes`. With a session of one thread, batches side by side use all cores."""

    categorizer: Categorizer

    @property
    def identity(self) -> str:
        return f"{self.categorizer.bundle.digest()}:{self.categorizer.choice.file}"

    @property
    def levels(self) -> Sequence[str]:
        return self.categorizer.spec.levels

    @property
    def title_columns(self) -> Sequence[str]:
        return self.categorizer.spec.title_columns

    @property
    def attributes(self) -> Sequence[str]:
        return self.categorizer.spec.attribute_names

    def answers(self, products: Iterable[Load]) -> Generator[Answer, None, None]:
        """As `Categorizes.answers`: a photo that cannot be decoded is its product's error alone.

        Raises:
            BundleError: the model fails.
        """
        workers = max(1, this_machine().cores // self.categorizer.choice.threads)
        source, waiting = iter(products), deque[Future[list[Answer]]]()
        with ThreadPoolExecutor(workers, thread_name_prefix="products") as pool:
            try:
                while batch := list(islice(source, _PRODUCTS)):
                    waiting.append(pool.submit(self._batch, batch))
                    if len(waiting) == _AHEAD * workers:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _batch(self, products: Sequence[Load]) -> list[Answer]:
        asked = [self._asked(one) for one in products]
        rows = [row for one in asked if isinstance(one, Asked) for row in one.rows]
        predictions = self._predictions(rows)
        return [
            self.categorizer.categorize(one, list(islice(predictions, len(one.rows))))
            if isinstance(one, Asked)
            else one
            for one in asked
        ]

    def _asked(self, load: Load) -> Asked | LoupeError:
        spec = self.categorizer.bundle.manifest.preprocess
        try:
            product = load()
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
        for first in range(0, len(rows), _ROWS):
            yield from self.categorizer.predict(rows[first : first + _ROWS])
