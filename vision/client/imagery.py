"""Imagery's calls of `Client` and `AsyncClient`, as `client.imagery`: the same ones, with the same promises.

    job, _ = client.imagery.create(ImageOrder(photo=Path("mug.jpg"), brief=Brief(scene="white marble table", rules=("google.merchant",))))
    for change in client.imagery.watch(job.id):
        print(change.job.state, change.job.step, "of", change.job.steps)

Calls raise what `Client`'s do; who lacks the role gets a `RemotePermissionError`, and what is not in the state for what is asked a `StateError`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc

from vision.client import imagery_calls as calls
from vision.client.calls import Question
from vision.client.connection import Connection
from vision.client.imagery_calls import Action
from vision.client.imagery_values import (
    ExportedImage,
    ImageChange,
    ImageEvent,
    ImageJob,
    ImageOrder,
    Reviewed,
    RuleReport,
)
from vision.client.status import failure_of
from vision.v1.imagery_pb2_grpc import ImageryServiceStub

Said = TypeVar("Said")


class _Asks(Protocol):
    def __call__(self, method: Callable[..., Any], question: Question[Said], deadline_s: float) -> Said: ...


class _AsksLater(Protocol):
    def __call__(
        self, method: Callable[..., Awaitable[Any]], question: Question[Said], deadline_s: float
    ) -> Awaitable[Said]: ...


class Imagery:
    """For callers that wait."""

    def __init__(self, channel: grpc.Channel, connection: Connection, ask: _Asks) -> None:
        self._stub: Any = ImageryServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._connection, self._ask = connection, ask

    def create(self, order: ImageOrder, *, deadline_s: float = 60.0) -> tuple[ImageJob, bool]:
        """Order images; gives the job, and whether it had been ordered before under its request id. Needs the role design."""
        return self._ask(self._stub.CreateJob, calls.create(order), deadline_s)

    def get(self, job_id: str, *, pictures: bool = False, deadline_s: float = 30.0) -> ImageJob:
        """One job; with `pictures` each candidate's preview and difference map, and the cut-out."""
        return self._ask(self._stub.GetJob, calls.get(job_id, pictures=pictures), deadline_s)

    def history(self, job_id: str, *, deadline_s: float = 30.0) -> tuple[ImageEvent, ...]:
        """What happened to a job's candidates, the oldest first."""
        return self._ask(self._stub.GetJob, calls.history(job_id), deadline_s)

    def jobs(self, *, deadline_s: float = 30.0, **wanted: Any) -> tuple[ImageJob, ...]:
        """Jobs, the newest first; of their candidates no more than number and state.

        Args:
            wanted: as `imagery_calls.listing`: state, requester, holding, limit, after.
        """
        return self._ask(self._stub.ListJobs, calls.listing(**wanted), deadline_s)

    def watch(
        self, job_id: str, *, previews: bool = False, deadline_s: float | None = None
    ) -> Generator[ImageChange, None, None]:
        """The job as it is, and again whenever it has changed, until it has ended. It is not asked for again where the call breaks."""
        question = calls.watch(job_id, previews=previews)
        call = self._stub.WatchJob(question.request, timeout=deadline_s, metadata=self._connection.metadata)
        try:
            for message in call:
                yield self._connection.understood(question.read, message)
        except grpc.RpcError as error:
            raise self._connection.error(failure_of(error)) from error
        finally:
            call.cancel()

    def cancel(self, job_id: str, *, deadline_s: float = 30.0) -> ImageJob:
        """Stop a job; one that runs is stopped at its worker's next step."""
        return self._ask(self._stub.CancelJob, calls.cancel(job_id), deadline_s)

    def check(
        self, image: bytes | Path, rules: Sequence[str], *, deadline_s: float = 60.0
    ) -> tuple[RuleReport, ...]:
        """What rule sets say of a picture."""
        return self._ask(self._stub.CheckCompliance, calls.check(image, rules), deadline_s)

    def review(
        self, job_id: str, number: int, action: Action, *, reason: str = "", deadline_s: float = 30.0
    ) -> Reviewed:
        """Propose, approve or reject a candidate. Needs a user's token, and to approve another user than ordered it."""
        return self._ask(self._stub.Review, calls.review(job_id, number, action, reason), deadline_s)

    def export(
        self, job_id: str, number: int, rule_set: str = "", *, deadline_s: float = 120.0
    ) -> ExportedImage:
        """An approved candidate as a file. Needs a user's token."""
        return self._ask(self._stub.Export, calls.export(job_id, number, rule_set), deadline_s)


class AsyncImagery:
    """For callers in an event loop; what is not told of here is as `Imagery` has it."""

    def __init__(self, channel: grpc.aio.Channel, connection: Connection, ask: _AsksLater) -> None:
        self._stub: Any = ImageryServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._connection, self._ask = connection, ask

    async def create(self, order: ImageOrder, *, deadline_s: float = 60.0) -> tuple[ImageJob, bool]:
        return await self._ask(self._stub.CreateJob, calls.create(order), deadline_s)

    async def get(self, job_id: str, *, pictures: bool = False, deadline_s: float = 30.0) -> ImageJob:
        return await self._ask(self._stub.GetJob, calls.get(job_id, pictures=pictures), deadline_s)

    async def history(self, job_id: str, *, deadline_s: float = 30.0) -> tuple[ImageEvent, ...]:
        return await self._ask(self._stub.GetJob, calls.history(job_id), deadline_s)

    async def jobs(self, *, deadline_s: float = 30.0, **wanted: Any) -> tuple[ImageJob, ...]:
        return await self._ask(self._stub.ListJobs, calls.listing(**wanted), deadline_s)

    async def watch(
        self, job_id: str, *, previews: bool = False, deadline_s: float | None = None
    ) -> AsyncGenerator[ImageChange, None]:
        question = calls.watch(job_id, previews=previews)
        call = self._stub.WatchJob(question.request, timeout=deadline_s, metadata=self._connection.metadata)
        try:
            async for message in call:
                yield self._connection.understood(question.read, message)
        except grpc.RpcError as error:
            raise self._connection.error(failure_of(error)) from error
        finally:
            call.cancel()

    async def cancel(self, job_id: str, *, deadline_s: float = 30.0) -> ImageJob:
        return await self._ask(self._stub.CancelJob, calls.cancel(job_id), deadline_s)

    async def check(
        self, image: bytes | Path, rules: Sequence[str], *, deadline_s: float = 60.0
    ) -> tuple[RuleReport, ...]:
        return await self._ask(self._stub.CheckCompliance, calls.check(image, rules), deadline_s)

    async def review(
        self, job_id: str, number: int, action: Action, *, reason: str = "", deadline_s: float = 30.0
    ) -> Reviewed:
        question = calls.review(job_id, number, action, reason)
        return await self._ask(self._stub.Review, question, deadline_s)

    async def export(
        self, job_id: str, number: int, rule_set: str = "", *, deadline_s: float = 120.0
    ) -> ExportedImage:
        return await self._ask(self._stub.Export, calls.export(job_id, number, rule_set), deadline_s)
