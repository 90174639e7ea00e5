"""The catalog's calls of `Client` and `AsyncClient`, as `client.catalog`: the same ones, with the same promises.

    answer = client.catalog.categorize(Product(photos=(Path("shoe.jpg"),), title="Court sneakers"))

Arguments that are not told of: `model` may be empty where the server serves one for catalogs alone, `deadline_s` is for all attempts. Calls
raise what `Client`'s do; who lacks the role gets a `RemotePermissionError`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

import grpc

from vision.client import catalog_calls as calls
from vision.client.async_stream import AsyncStream
from vision.client.blocking_stream import BlockingStream
from vision.client.calls import Became, Given, Many, Question
from vision.client.catalog_values import (
    Blemish,
    Categorized,
    Feedback,
    FeedbackGiven,
    Found,
    Indexed,
    Product,
    ProductOutcome,
)
from vision.client.values import Priority
from vision.errors import LoupeError
from vision.v1.catalog_pb2_grpc import CatalogServiceStub

Said = TypeVar("Said")


class _Asks(Protocol):
    def __call__(self, method: Callable[..., Any], question: Question[Said], deadline_s: float) -> Said: ...


class _AsksLater(Protocol):
    def __call__(
        self, method: Callable[..., Awaitable[Any]], question: Question[Said], deadline_s: float
    ) -> Awaitable[Said]: ...


class _Streams(Protocol):
    def __call__(
        self, method: Callable[..., Any], many: Many[Given, Became], *, in_flight: int, deadline_s: float
    ) -> BlockingStream[Given, Became]: ...


class _StreamsLater(Protocol):
    def __call__(
        self, method: Callable[..., Any], many: Many[Given, Became], *, in_flight: int, deadline_s: float
    ) -> AsyncStream[Given, Became]: ...


class Catalog:
    """For callers that wait."""

    def __init__(self, channel: grpc.Channel, ask: _Asks, stream: _Streams) -> None:
        self._stub: Any = CatalogServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._ask, self._stream = ask, stream

    def categorize(self, product: Product, *, deadline_s: float = 10.0, **asked: Any) -> Categorized:
        """Place one product.

        Args:
            asked: as `catalog_calls.categorize`: model, request_id, reasons, heatmap, embedding, language, priority.
        """
        return self._ask(self._stub.Categorize, calls.categorize(product, **asked), deadline_s)

    def index(
        self,
        product: Product,
        *,
        model: str = "",
        priority: Priority = "catalog",
        deadline_s: float = 30.0,
    ) -> Indexed:
        """Keep a product under its `item_id`, in the place of the one that has it."""
        question = calls.index(product, model=model, priority=priority)
        return self._ask(self._stub.IndexItem, question, deadline_s)

    def remove(self, item_id: str, *, deadline_s: float = 10.0) -> bool:
        """Forget a product and its photos; gives whether there was one."""
        return self._ask(self._stub.RemoveItem, calls.remove(item_id), deadline_s)

    def search(self, *, deadline_s: float = 10.0, **asked: Any) -> Found:
        """Find kept products.

        Args:
            asked: as `catalog_calls.search`: one of image, item_id and text; categories, attributes, limit, model.
        """
        return self._ask(self._stub.SearchSimilar, calls.search(**asked), deadline_s)

    def check_blemish(self, product: Product, *, deadline_s: float = 10.0, **asked: Any) -> Blemish:
        """Look for blemishes in the product's one photo, by the inspection model of its category.

        With an `item_id` the category is that of the kept product, as people corrected it.

        Args:
            asked: as `catalog_calls.check_blemish`: model, request_id, heatmap, explain, part.
        """
        return self._ask(self._stub.CheckBlemish, calls.check_blemish(product, **asked), deadline_s)

    def submit_feedback(
        self,
        item_id: str,
        labels: Mapping[str, str],
        *,
        comment: str = "",
        request_id: str | None = None,
        deadline_s: float = 10.0,
    ) -> FeedbackGiven:
        """Say what a kept product is, by level. Needs a user's token with the role catalog or review."""
        question = calls.submit_feedback(item_id, labels, comment=comment, request_id=request_id)
        return self._ask(self._stub.SubmitFeedback, question, deadline_s)

    def export_feedback(
        self, *, model: str = "", disputed: bool = False, photos: bool = False, deadline_s: float = 300.0
    ) -> Feedback:
        """What there is to learn; or with `disputed` what waits for a reviewer. Needs a user's token with the role review.

        Args:
            model: of products that this one has placed; empty: of all.
        """

        def collected(request: Any, **options: Any) -> list[Any]:
            return list(self._stub.ExportFeedback(request, **options))

        return self._ask(
            collected, calls.export_feedback(model=model, disputed=disputed, photos=photos), deadline_s
        )

    def categorize_many(
        self, products: Iterable[Product], *, in_flight: int = 16, deadline_s: float = 60.0, **asked: Any
    ) -> Generator[ProductOutcome, None, None]:
        """Place many over one stream, `in_flight` at once; each has one outcome, in the order of completion.

        The iterable is read between outcomes, as that of `Client.inspect_many`.

        Args:
            deadline_s: for each product, from when it is taken.
            asked: as `catalog_calls.categorize`, without `request_id`.

        Raises:
            LoupeError: the server refused the stream itself, after the outcomes of the products taken so far.
        """
        return self._stream(
            self._stub.CategorizeStream, calls.products(**asked), in_flight=in_flight, deadline_s=deadline_s
        ).outcomes(products)

    def index_many(
        self, products: Iterable[Product], *, model: str = "", in_flight: int = 8, deadline_s: float = 60.0
    ) -> Generator[ProductOutcome, None, None]:
        """Keep many, behind what others wait for; each has one outcome, in the order of completion."""

        def outcome(index: int, product: Product) -> ProductOutcome:
            try:
                result: Indexed | LoupeError = self.index(
                    product, model=model, priority="bulk", deadline_s=deadline_s
                )
            except LoupeError as error:
                result = error
            return ProductOutcome(index=index, item_id=product.item_id, result=result)

        with ThreadPoolExecutor(in_flight, thread_name_prefix="products") as threads:
            waiting: set[Future[ProductOutcome]] = set()
            for index, product in enumerate(products):
                waiting.add(threads.submit(outcome, index, product))
                if len(waiting) >= in_flight:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)


class AsyncCatalog:
    """For callers in an event loop; what is not told of here is as `Catalog` has it."""

    def __init__(self, channel: grpc.aio.Channel, ask: _AsksLater, stream: _StreamsLater) -> None:
        self._stub: Any = CatalogServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._ask, self._stream = ask, stream

    async def categorize(self, product: Product, *, deadline_s: float = 10.0, **asked: Any) -> Categorized:
        question = calls.categorize(product, **asked)
        return await self._ask(self._stub.Categorize, question, deadline_s)

    async def index(
        self,
        product: Product,
        *,
        model: str = "",
        priority: Priority = "catalog",
        deadline_s: float = 30.0,
    ) -> Indexed:
        question = calls.index(product, model=model, priority=priority)
        return await self._ask(self._stub.IndexItem, question, deadline_s)

    async def remove(self, item_id: str, *, deadline_s: float = 10.0) -> bool:
        return await self._ask(self._stub.RemoveItem, calls.remove(item_id), deadline_s)

    async def search(self, *, deadline_s: float = 10.0, **asked: Any) -> Found:
        return await self._ask(self._stub.SearchSimilar, calls.search(**asked), deadline_s)

    async def check_blemish(self, product: Product, *, deadline_s: float = 10.0, **asked: Any) -> Blemish:
        question = calls.check_blemish(product, **asked)
        return await self._ask(self._stub.CheckBlemish, question, deadline_s)

    async def submit_feedback(
        self,
        item_id: str,
        labels: Mapping[str, str],
        *,
        comment: str = "",
        request_id: str | None = None,
        deadline_s: float = 10.0,
    ) -> FeedbackGiven:
        question = calls.submit_feedback(item_id, labels, comment=comment, request_id=request_id)
        return await self._ask(self._stub.SubmitFeedback, question, deadline_s)

    async def export_feedback(
        self, *, model: str = "", disputed: bool = False, photos: bool = False, deadline_s: float = 300.0
    ) -> Feedback:
        async def collected(request: Any, **options: Any) -> list[Any]:
            return [message async for message in self._stub.ExportFeedback(request, **options)]

        question = calls.export_feedback(model=model, disputed=disputed, photos=photos)
        return await self._ask(collected, question, deadline_s)

    def categorize_many(
        self,
        products: Iterable[Product] | AsyncIterable[Product],
        *,
        in_flight: int = 16,
        deadline_s: float = 60.0,
        **asked: Any,
    ) -> AsyncGenerator[ProductOutcome, None]:
        return self._stream(
            self._stub.CategorizeStream, calls.products(**asked), in_flight=in_flight, deadline_s=deadline_s
        ).outcomes(products)
