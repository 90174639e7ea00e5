"""`Client`: a server of Loupe, for callers that wait.

Each call is repeated where the server is away or asks to come again, until its deadline; everything else is raised as an error of
`vision.errors`. A client may be shared by threads.
"""

import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from typing_extensions import override

from vision.client import calls
from vision.client.blocking_stream import BlockingStream
from vision.client.calls import Became, Given, Many, Question, Said, Wanted
from vision.client.catalog import Catalog
from vision.client.connection import Connection, Tls
from vision.client.flow import Flow
from vision.client.imagery import Imagery
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


class Client:
    """A connection to one server; it connects when first used.

    Every call raises, of `vision.errors`: `UnavailableError` or `OverloadedError` where the server stays away or overloaded until
    the deadline, `DeadlineError` where it says nothing at all, `AuthenticationError`, `RemotePermissionError`, `NotFoundError`,
    `RequestError`, `StateError`, `WireError`, and `RemoteError` for what went wrong on the server. A deadline is for all attempts
    and the pauses between them.

    Attributes:
        catalog: the calls of `CatalogService`.
        imagery: the calls of `ImageryService`.

    Args:
        address: `host:port`, `[::1]:port` or `unix:PATH`.
        token: who calls; beyond this machine it needs `tls`.
        tls: absent for plain text.
        backoff: how the pauses between attempts grow.

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
        self._connection = Connection(address=address, token=token, tls=tls)
        self._backoff = backoff or Backoff()
        self._channel = self._connection.open()
        self._inspection = InspectionServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._models = ModelServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self.catalog = Catalog(self._channel, self._ask, self._streamed)
        self.imagery = Imagery(self._channel, self._connection, self._ask)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; what is under way is cancelled."""
        self._channel.close()

    def inspect(  # noqa: PLR0913  (the fields of the request)
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
        """Judge one part.

        Args:
            image: encoded (JPEG, PNG, WebP, BMP, TIFF) of at most 16 MiB, or where it lies.
            model: may be empty where the server serves one alone.
            request_id: a repeated one with the same content gets the first one's answer; a fresh one where absent. Empty: no
                such promise, and a part may be judged twice where an answer was lost on the way.
            heatmap: with a PNG of the evidence.
            embedding: with the pooled features.
            explain: with where the evidence lies, and the verdict without it.
            priority: who goes first where the server is short.
            part: what the caller calls the part; kept with the result.

        Raises:
            ImageError: the picture cannot be read, is empty or is too large.
        """
        wanted = Wanted(model=model, heatmap=heatmap, embedding=embedding, explain=explain, priority=priority)
        picture = Picture(image=image, part=part, request_id=request_id)
        return self._ask(self._inspection.Inspect, calls.inspect(wanted, picture), deadline_s)

    def inspect_many(
        self,
        pictures: Iterable[bytes | Path | Picture],
        *,
        model: str = "",
        heatmap: bool = False,
        embedding: bool = False,
        explain: bool = False,
        priority: Priority = "line",
        in_flight: int = 16,
        deadline_s: float = 10.0,
    ) -> Generator[Outcome, None, None]:
        """Judge many parts over one stream; outcomes come in the order of completion, each picture has one.

        The iterable is read between outcomes, never more than `in_flight` pictures ahead of the answers. One that waits, as for a
        camera, holds answers back meanwhile: `AsyncClient` does not. What the iterable raises ends the stream.

        Args:
            in_flight: how many pictures may be sent and not yet answered.
            deadline_s: for each picture, from when it is taken.

        Raises:
            LoupeError: the server refused the stream itself, after the outcomes of the pictures taken so far.
        """
        wanted = Wanted(model=model, heatmap=heatmap, embedding=embedding, explain=explain, priority=priority)
        return self._streamed(
            self._inspection.InspectStream, calls.pictures(wanted), in_flight=in_flight, deadline_s=deadline_s
        ).outcomes(pictures)

    def models(self, *, deadline_s: float = 10.0) -> tuple[ServedModel, ...]:
        """Every model of the server, also those that failed to load."""
        return self._ask(self._models.ListModels, calls.models(), deadline_s)

    def load_model(self, name: str, *, deadline_s: float = 120.0) -> ServedModel:
        """Load a bundle of the server's model folder, and serve it once it is warm. Needs the role admin."""
        return self._ask(self._models.LoadModel, calls.load_model(name), deadline_s)

    def unload_model(self, name: str, *, deadline_s: float = 30.0) -> None:
        """Stop serving a model. Needs the role admin.

        Raises:
            NotFoundError: it is not served; also where an earlier attempt did it and its answer was lost.
        """
        self._ask(self._models.UnloadModel, calls.unload_model(name), deadline_s)

    def submit_disposition(
        self, result_id: str, label: str, *, note: str = "", deadline_s: float = 10.0
    ) -> str:
        """Say what a person found the part to be; gives who is recorded to have said so. Needs the role review."""
        question = calls.submit_disposition(result_id, label, note)
        return self._ask(self._inspection.SubmitDisposition, question, deadline_s)

    def reviews(
        self, *, model: str = "", limit: int = 100, deadline_s: float = 10.0
    ) -> tuple[PendingReview, ...]:
        """Judged parts that wait for a person: reviews first, then the random sample of accepted ones."""
        return self._ask(self._inspection.ListReviews, calls.reviews(model, limit), deadline_s)

    def dispositions(self, *, model: str = "", deadline_s: float = 60.0) -> Dispositions:
        """All dispositions, and the escape rate that they show."""

        def collected(request: Any, **options: Any) -> list[Any]:
            return list(self._inspection.ExportDispositions(request, **options))

        return self._ask(collected, calls.dispositions(model), deadline_s)

    def _streamed(
        self,
        method: Callable[..., Any],
        many: Many[Given, Became],
        *,
        in_flight: int,
        deadline_s: float,
    ) -> BlockingStream[Given, Became]:
        flow = Flow(many, self._connection, in_flight=in_flight, deadline_s=deadline_s, backoff=self._backoff)
        return BlockingStream(
            flow, self._connection, lambda requests: method(requests, metadata=self._connection.metadata)
        )

    def _ask(self, method: Callable[..., Any], question: Question[Said], deadline_s: float) -> Said:
        attempts, earlier = Attempts(deadline_s, self._backoff), None
        while True:
            try:
                message = method(
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
            time.sleep(pause_s)
