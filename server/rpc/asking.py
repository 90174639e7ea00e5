"""How requests are asked: under an id or none, in which lane, one by one or as a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from google.protobuf.message import Message

from server.batching import Lane
from server.once import Question, payload_digest
from server.rpc.calls import current_call
from vision.v1 import inspection_pb2

_IN_FLIGHT: Final = 16  # of one stream; more are read from the socket only as answers leave
_LANES: Final[Mapping[int, Lane]] = {
    inspection_pb2.PRIORITY_LINE: Lane.LINE,
    inspection_pb2.PRIORITY_CATALOG: Lane.CATALOG,
    inspection_pb2.PRIORITY_BULK: Lane.BULK,
}

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


def lane_of(priority: int, *, usual: Lane) -> Lane:
    """`usual` where none is asked for."""
    return _LANES.get(priority, usual)


def question_of(method: str, request: Message) -> Question:
    """A request with a `request_id` as idempotency sees it."""
    principal, request_id = current_call().principal, str(getattr(request, "request_id"))  # noqa: B009  (Message knows no fields)
    digest = payload_digest(request.SerializeToString(deterministic=True)) if request_id else ""
    return Question(
        principal=principal.token_id or principal.user,
        method=method,
        request_id=request_id,
        payload_sha256=digest,
    )


async def in_order_of_completion(
    requests: AsyncIterator[Request], answer: Callable[[Request], Awaitable[Response]]
) -> AsyncGenerator[Response, None]:
    """The answers to a stream's requests, some of which are answered at once; one that fails is its own answer's to say."""
    answers: asyncio.Queue[Response | None] = asyncio.Queue(1)
    places = asyncio.Semaphore(_IN_FLIGHT)

    async def one(request: Request) -> None:
        try:
            await answers.put(await answer(request))
        finally:
            places.release()

    async def read() -> None:
        broken: Exception | None = None
        async with asyncio.TaskGroup() as group:
            try:
                async for request in requests:
                    await places.acquire()
                    group.create_task(one(request))
            except Exception as error:  # noqa: BLE001  (raised again when what came before it is answered)
                broken = error
        await answers.put(None)
        if broken is not None:
            raise broken

    reading = asyncio.create_task(read())
    try:
        while (given := await answers.get()) is not None:
            yield given
        await reading
    finally:
        reading.cancel()  # the caller has left: what is under way costs nothing more
