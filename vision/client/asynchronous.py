"""`AsyncClient`: a server of Loupe, for callers in an event loop.

The same calls as `vision.client.blocking.Client` has, with the same promises.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from typing_extensions import override

from vision.client import calls
from vision.client.async_stream import AsyncStream
from vision.client.calls import Became, Given, Many, Question, Said, Wanted
from vision.client.catalog import AsyncCatalog
from vision.client.connection import Connection, Tls
from vision.client.flow import Flow
from vision.client.imagery import AsyncImagery
from vision.client.retry import Attempts, Backoff
from vision.client.status import failure_of
from vision.client.values import (
    Answer,
    Dispositions,
    Outcome,
    PendingReview,
    Picture,
    Priority,
    ServedModel,
)
from vision.v1.inspection_pb2_grpc import InspectionServiceStub
from vision.v1.models_pb2_grpc import ModelServiceStub


class AsyncClient:
    """A connection to one server; it connects when first used. Arguments and errors are those of `Client`.

    It belongs to the event loop that runs where it is made.

    Raises:
        SettingsError: the address, the token or a TLS file is not what it must be.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        asyncio.get_running_loop()  # gRPC would make one of its own, in which nothing ever runs
        self._connection = Connection(address=address, token=token, tls=tls)
        self._backoff = backoff or Backoff()
        self._channel = self._connection.open_async()
        self._inspection = InspectionServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._models = ModelServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self.catalog = AsyncCatalog(self._channel, self._ask, self._streamed)
        self.imagery = AsyncImagery(self._channel, self._connection, self._ask)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; what is under way is cancelled."""
        await self._channel.close()

    async def inspect(  # noqa: PLR0913  (the fields of the request)
        self,
        image: bytes | Path,
        *,
        model: str = "",
        request_id: str | None = None,
        heatmap: bool = False,
        embedding: bool = False,
        explain: bool = False,
        priority: Priority = "line",
        part: str = "",
        deadline_s: float = 10.0,
    ) -> Answer:
        """Judge one part."""
        wanted = Wanted(model=model, heatmap=heatmap, embedding=embedding, explain=explain, priority=priority)
        picture = Picture(image=image, part=part, request_id=request_id)
        return await self._ask(self._inspection.Inspect, calls.inspect(wanted, picture), deadline_s)

    def inspect_many(
        self,
        pictures: Iterable[bytes | Path | Picture] | AsyncIterable[bytes | Path | Picture],
        *,
        model: str = "",
        heatmap: bool = False,
        embedding: bool = False,
        explain: bool = False,
        priority: Priority = "line",
        in_flight: int = 16,
        deadline_s: float = 10.0,
    ) -> AsyncGenerator[Outcome, None]:
        """Judge many parts over one stream; outcomes come in the order of completion, each picture has one.

        The pictures are taken while answers are waited for, never more than `in_flight` of them ahead. Whoever leaves the iterator early
        closes it (`contextlib.aclosing`), and the stream with it.
        """
        wanted = Wanted(model=model, heatmap=heatmap, embedding=embedding, explain=explain, priority=priority)
        return self._streamed(
            self._inspection.InspectStream, calls.pictures(wanted), in_flight=in_flight, deadline_s=deadline_s
        ).outcomes(pictures)

    async def models(self, *, deadline_s: float = 10.0) -> tuple[ServedModel, ...]:
        """Every model of the server, also those that failed to load."""
        return await self._ask(self._models.ListModels, calls.models(), deadline_s)

    async def load_model(self, name: str, *, deadline_s: float = 120.0) -> ServedModel:
        """Load a bundle of the server's model folder, and serve it once it is warm. Needs the role admin."""
        return await self._ask(self._models.LoadModel, calls.load_model(name), deadline_s)

    async def unload_model(self, name: str, *, deadline_s: float = 30.0) -> None:
        """Stop serving a model. Needs the role admin.

        Raises:
            NotFoundError: it is not served; also where an earlier attempt did it and its answer was lost.
        """
        await self._ask(self._models.UnloadModel, calls.unload_model(name), deadline_s)

    async def submit_disposition(
        self, result_id: str, label: str, *, note: str = "", deadline_s: float = 10.0
    ) -> str:
        """Say what a person found the part to be; gives who is recorded to have said so. Needs the role review."""
        question = calls.submit_disposition(result_id, label, note)
        return await self._ask(self._inspection.SubmitDisposition, question, deadline_s)

    async def reviews(
        self, *, model: str = "", limit: int = 100, deadline_s: float = 10.0
    ) -> tuple[PendingReview, ...]:
        """Judged parts that wait for a person: reviews first, then the random sample of accepted ones."""
        return await self._ask(self._inspection.ListReviews, calls.reviews(model, limit), deadline_s)

    async def dispositions(self, *, model: str = "", deadline_s: float = 60.0) -> Dispositions:
        """All dispositions, and the escape rate that they show."""

        async def collected(request: Any, **options: Any) -> list[Any]:
            return [message async for message in self._inspection.ExportDispositions(request, **options)]

        return await self._ask(collected, calls.dispositions(model), deadline_s)

    def _streamed(
        self,
        method: Callable[..., Any],
        many: Many[Given, Became],
        *,
        in_flight: int,
        deadline_s: float,
    ) -> AsyncStream[Given, Became]:
        flow = Flow(many, self._connection, in_flight=in_flight, deadline_s=deadline_s, backoff=self._backoff)
        return AsyncStream(
            flow, self._connection, lambda requests: method(requests, metadata=self._connection.metadata)
        )

    async def _ask(
        self, method: Callable[..., Awaitable[Any]], question: Question[Said], deadline_s: float
    ) -> Said:
        attempts, earlier = Attempts(deadline_s, self._backoff), None
        while True:
            try:
                message = await method(
                    question.request, timeout=attempts.left_s(), metadata=self._connection.metadata
                )
            except grpc.RpcError as error:
                failure = failure_of(error)
            else:
                return self._connection.understood(question.read, message)
            pause_s = attempts.pause_s(transient=failure.transient, at_least_s=failure.retry_after_s)
            if pause_s is None:
                raise self._connection.error(failure.after(earlier), attempts=attempts.failures)
            earlier = failure
            await asyncio.sleep(pause_s)
