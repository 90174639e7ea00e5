"""Many pictures or products over a stream, for callers that wait.

Takes them from an iterable, gives outcomes in the order of completion; which of them is where, `vision.client.flow` knows. The
iterable is read in the caller's thread, between answers. A call's answers are read by a thread that lives as long as the call:
gRPC's blocking reader can be given no time limit, and each request has one.
"""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, Generic

import grpc

from vision.client.calls import Became, Given
from vision.client.connection import Connection
from vision.client.flow import ENDED, Flow
from vision.client.status import Failure, failure_of
from vision.errors import LoupeError

OpenCall = Callable[[Iterator[Any]], Any]

_GRACE_S: Final = 1.0  # for the server to end a call in which everything is answered


class _Call:
    """One call. What comes lies in `inbox`: messages, and at the end why it ended."""

    def __init__(self, open_call: OpenCall) -> None:
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call = open_call(iter(self._outbox.get, None))
        self._reader = threading.Thread(target=self._read, name="loupe-answers", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for message in self._call:
                self.inbox.put(message)
        except grpc.RpcError as error:
            self.inbox.put(failure_of(error))
        else:
            self.inbox.put(ENDED)

    def send(self, request: Any) -> None:
        self._outbox.put(request)

    def close(self, *, grace_s: float = 0.0) -> None:
        """End the call, and with it both threads that served it; in the server's own time while the grace lasts."""
        self._outbox.put(None)
        self._reader.join(grace_s)
        self._call.cancel()
        self._reader.join()


class BlockingStream(Generic[Given, Became]):
    """A stream; opened with the first request, and again after each break."""

    def __init__(self, flow: Flow[Given, Became], connection: Connection, open_call: OpenCall) -> None:
        self._flow, self._connection, self._open_call = flow, connection, open_call
        self._call: _Call | None = None
        self._refusal: LoupeError | None = None

    def outcomes(self, things: Iterable[Given]) -> Generator[Became, None, None]:
        """Everything's outcome, in the order of completion.

        Raises:
            LoupeError: the server refused the stream itself, after the outcomes of what was under way; nothing else would fare better.
        """
        source, more = iter(things), True
        try:
            while more or not self._flow.idle:
                if more and self._flow.room:
                    more = yield from self._take(source)
                yield from self._settle(wait=not (more and self._flow.room))
                if self._refusal is not None:
                    raise self._refusal
            self._end(grace_s=_GRACE_S)
        finally:
            self._end()

    def _take(self, source: Iterator[Given]) -> Generator[Became, None, bool]:
        """Admit the next thing; false where there is none."""
        try:
            given = next(source)
        except StopIteration:
            return False
        refused = self._flow.admit(self._flow.load(given))
        if refused is not None:
            yield refused
        return True

    def _settle(self, *, wait: bool) -> list[Became]:
        """See to what has arrived, and send what is due; with `wait`, let time pass until there is something to do."""
        outcomes = self._hear(0.0)
        outcomes += self._flow.too_late()  # after what has arrived: the caller may have been away for long
        for request in self._flow.to_send():
            self._call = self._call or _Call(self._open_call)
            self._call.send(request)
        if wait and not outcomes:
            outcomes = self._hear(self._flow.next_in_s() or 0.0)
        return outcomes

    def _hear(self, timeout_s: float) -> list[Became]:
        outcomes = []
        for event in self._arrived(timeout_s):
            if isinstance(event, Failure):
                self._end()
                outcomes += self._flow.broke(event)
                self._refusal = None if event.transient else self._connection.error(event)
            else:
                outcome = self._flow.answered(event)
                outcomes += [outcome] if outcome is not None else []
        return outcomes

    def _arrived(self, timeout_s: float) -> Iterator[Any]:
        if self._call is None:
            time.sleep(timeout_s)
            return
        inbox = self._call.inbox
        try:
            yield inbox.get(timeout=timeout_s)
            while True:
                yield inbox.get_nowait()
        except queue.Empty:
            return

    def _end(self, *, grace_s: float = 0.0) -> None:
        if self._call is not None:
            self._call.close(grace_s=grace_s)
            self._call = None
