"""Many pictures or products over a stream, for callers in an event loop.

Takes them from an iterable or asynchronous iterable, gives outcomes in the order of completion; which of them is where,
`vision.client.flow` knows. They are taken and answers read side by side, so that a camera that is waited for holds no answer back.
"""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import suppress
from typing import Any, Final, Generic

import grpc

from vision.client.calls import Became, Given
from vision.client.connection import Connection
from vision.client.flow import CLOSED, ENDED, Flow, Loaded
from vision.client.status import Failure, failure_of
from vision.errors import LoupeError

OpenCall = Callable[[AsyncIterator[Any]], Any]

_GRACE_S: Final = 1.0  # for the server to end a call in which everything is answered


class _Call:
    """One call. What comes lies in `inbox`: messages, and at the end why it ended; `changed` is set each time."""

    def __init__(self, open_call: OpenCall, changed: asyncio.Event) -> None:
        self._outbox: asyncio.Queue[Any] = asyncio.Queue()
        self.inbox: deque[Any] = deque()
        self._changed = changed
        self._call = open_call(self._requests())
        self._reader = asyncio.create_task(self._read())

    def send(self, request: Any) -> None:
        self._outbox.put_nowait(request)

    async def close(self, *, grace_s: float = 0.0) -> None:
        """End the call; in the server's own time while the grace lasts."""
        self._outbox.put_nowait(None)
        await asyncio.wait({self._reader}, timeout=grace_s)
        self._call.cancel()
        self._reader.cancel()
        await asyncio.wait({self._reader})

    async def _requests(self) -> AsyncIterator[Any]:
        while (request := await self._outbox.get()) is not None:
            yield request

    async def _read(self) -> None:
        try:
            async for message in self._call:
                self._tell(message)
        except grpc.RpcError as error:
            self._tell(failure_of(error))
        except asyncio.CancelledError:  # closed here, or the whole client was
            self._tell(CLOSED)
            raise
        else:
            self._tell(ENDED)

    def _tell(self, event: Any) -> None:
        self.inbox.append(event)
        self._changed.set()


class AsyncStream(Generic[Given, Became]):
    """A stream; opened with the first request, and again after each break."""

    def __init__(self, flow: Flow[Given, Became], connection: Connection, open_call: OpenCall) -> None:
        self._flow, self._connection, self._open_call = flow, connection, open_call
        self._call: _Call | None = None
        self._changed = asyncio.Event()
        self._refusal: LoupeError | None = None

    async def outcomes(self, things: Iterable[Given] | AsyncIterable[Given]) -> AsyncGenerator[Became, None]:
        """Everything's outcome, in the order of completion.

        Raises:
            LoupeError: the server refused the stream itself, after the outcomes of what was under way; nothing else would fare better.
        """
        source = aiter(things) if isinstance(things, AsyncIterable) else iter(things)
        more, taking = True, None
        try:
            while more or not self._flow.idle:
                self._changed.clear()
                if taking is None and more and self._flow.room:
                    taking = asyncio.create_task(self._next(source))
                    taking.add_done_callback(lambda _: self._changed.set())
                if taking is not None and taking.done():
                    taken, taking = taking.result(), None
                    more = taken is not None
                    refused = self._flow.admit(taken) if taken is not None else None
                    if refused is not None:
                        yield refused
                    continue
                outcomes = await self._settle()
                for outcome in outcomes:
                    yield outcome
                if self._refusal is not None:
                    raise self._refusal
                if not outcomes:  # else there is room, and perhaps nothing to wait for
                    await self._wait()
            await self._end(grace_s=_GRACE_S)
        finally:
            if taking is not None:
                taking.cancel()
            await self._end()

    async def _settle(self) -> list[Became]:
        """See to what has arrived, and send what is due."""
        outcomes = []
        inbox = self._call.inbox if self._call is not None else deque()
        while inbox:
            event = inbox.popleft()
            if isinstance(event, Failure):
                await self._end()
                outcomes += self._flow.broke(event)
                self._refusal = None if event.transient else self._connection.error(event)
            else:
                outcome = self._flow.answered(event)
                outcomes += [outcome] if outcome is not None else []
        outcomes += self._flow.too_late()  # after what has arrived: the caller may have been away for long
        for request in self._flow.to_send():
            self._call = self._call or _Call(self._open_call, self._changed)
            self._call.send(request)
        return outcomes

    async def _wait(self) -> None:
        """Until something has arrived, is due or is too late."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._flow.next_in_s()):
                await self._changed.wait()

    async def _end(self, *, grace_s: float = 0.0) -> None:
        if self._call is not None:
            call, self._call = self._call, None
            await call.close(grace_s=grace_s)

    async def _next(self, source: Iterator[Given] | AsyncIterator[Given]) -> Loaded[Given] | None:
        """The next thing with its request, or why there is none; nothing at the end."""
        given = await anext(source, None) if isinstance(source, AsyncIterator) else next(source, None)
        return None if given is None else await asyncio.to_thread(self._flow.load, given)
