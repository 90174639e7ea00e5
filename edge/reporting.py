"""One station's way to a server: register, report what its ledger holds, say how it does; and all of it again, whenever the server fails.

Pure over a `Server`; `edge.uplink` has the one that is reached by gRPC. Rows are acknowledged in the order of their numbers, at least once; the server
sees to it that it is once. Whatever a server does, the ledger keeps the rows, and the station knows nothing of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final, Protocol

from edge.absence import Absence
from edge.outbox import Feed, Outbox, Row, acknowledge
from edge.reports import counts_of, refusals, request_of
from vision.client.retry import Backoff
from vision.errors import (
    AuthenticationError,
    InputError,
    LoupeError,
    OverloadedError,
    PermissionDeniedError,
    StorageError,
    UnsupportedError,
)
from vision.v1 import fleet_pb2

_LOOK_S: Final = 0.1  # between looks whether a ledger is open
_LASTING: Final = (
    AuthenticationError,
    InputError,
    PermissionDeniedError,
    UnsupportedError,
)  # a person must do something first

Say = Callable[[fleet_pb2.ReportResultsRequest], Awaitable[fleet_pb2.ReportResultsResponse]]


class Server(Protocol):
    """A server that is spoken to. Every call raises a LoupeError where it fails, or takes too long."""

    async def register(self, request: fleet_pb2.RegisterRequest) -> None: ...
    async def beat(self, request: fleet_pb2.HeartbeatRequest) -> None: ...
    def reporting(self) -> AbstractAsyncContextManager[Say]:
        """A stream: each message is answered before the next is sent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is asked of box and server at once.

    Attributes:
        look_s: between looks into a ledger of which everything is reported.
        beat_s: between heartbeats.
        answer_s: an answer that takes longer will not come.
        batch: rows in a message: about a millisecond of work, during which stations may have to wait for the interpreter.
        burst: messages in a call; a server that ends in good order waits for no longer one.
        rest_s: between messages, for the stations.
        lasting_s: before asking again a server that refuses, where only a person can help.
    """

    look_s: float = 0.25
    beat_s: float = 5.0
    answer_s: float = 10.0
    batch: int = 100
    burst: int = 50
    rest_s: float = 0.005
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, longest_s=10.0))
    lasting_s: float = 15.0


class Reporter:
    """The task of one station.

    Args:
        connect: to the server, as this station; called for each attempt, so that a new token or certificate is found.
        where: the server, in words.
        absence_s: a server that is away for so long is worth an alarm.
    """

    def __init__(
        self,
        feed: Feed,
        connect: Callable[[], AbstractAsyncContextManager[Server]],
        *,
        where: str,
        absence_s: float,
        pace: Pace | None = None,
    ) -> None:
        self._feed, self._connect, self._pace = feed, connect, pace or Pace()
        self._absence = Absence(where, absence_s)
        self._outbox = Outbox(feed.folder)
        self._cursor_kept = True

    async def run(self, stopping: asyncio.Event) -> None:
        """Report until told to stop; nothing that a server or the network does ends it sooner."""
        while not self._feed.mark.opened.is_set():
            if stopping.is_set():
                return
            await _wait(stopping, _LOOK_S)
        with closing(self._outbox):
            while not await self._attempt(stopping):
                pass

    async def _attempt(self, stopping: asyncio.Event) -> bool:
        """One conversation; true when it is the last."""
        try:
            await self._converse(stopping)
        except Exception as error:  # noqa: BLE001  (the boundary: whatever it was, the line goes on and rows wait)
            pause_s = self._failed(error)
        else:
            return True
        await _wait(stopping, pause_s)
        return stopping.is_set()

    async def _converse(self, stopping: asyncio.Event) -> None:
        """Report everything, again and again."""
        async with self._connect() as server:
            await self._register(server)
            loop = asyncio.get_running_loop()
            beaten = float("-inf")
            while True:
                last = stopping.is_set()  # asked before: what was kept until then is reported
                more = await self._report(server)
                self._answered()
                if last or loop.time() - beaten >= self._pace.beat_s:
                    await self._beat(server)
                    beaten = loop.time()
                if last and not more:
                    return
                if not more:
                    await _wait(stopping, self._pace.look_s)

    async def _register(self, server: Server) -> None:
        feed = self._feed
        await server.register(
            fleet_pb2.RegisterRequest(
                station=feed.station, boot=feed.boot, version=version("loupe"), bundle=self._outbox.bundle()
            )
        )

    async def _beat(self, server: Server) -> None:
        feed = self._feed
        await server.beat(
            fleet_pb2.HeartbeatRequest(
                station=feed.station,
                boot=feed.boot,
                bundle=self._outbox.bundle(),
                outcomes=counts_of(feed.counts()),
                waiting=self._waiting(),
                discarded=feed.mark.discarded,
            )
        )

    async def _report(self, server: Server) -> bool:
        """Report rows, a burst at most; whether there are more."""
        rows = self._rows()
        if not rows:
            return False
        async with server.reporting() as say:
            for _ in range(self._pace.burst):
                self._acknowledged(rows, await say(request_of(self._feed.station, rows)))
                rows = self._rows()
                if not rows:
                    return False
                await asyncio.sleep(self._pace.rest_s)
        return True

    def _rows(self) -> list[Row]:
        return self._outbox.rows(self._feed.mark.acknowledged, self._pace.batch)

    def _waiting(self) -> int:
        return self._outbox.waiting(self._feed.mark.acknowledged)

    def _acknowledged(self, rows: Sequence[Row], response: fleet_pb2.ReportResultsResponse) -> None:
        for part, why in refusals(rows, response).items():
            self._feed.alarm(f"part {part} was refused by the server, which does not have it: {why}")
        last = rows[-1]
        self._feed.mark.acknowledged = last.part
        self._answered()
        try:
            acknowledge(self._feed.folder, last.boot, last.part)
        except StorageError as error:  # costs sending again what was sent, after the next start
            if self._cursor_kept:
                self._feed.alarm(f"uplink: {error}")
            self._cursor_kept = False
        else:
            self._cursor_kept = True

    def _answered(self) -> None:
        """The server is there and takes what is reported; that it knows the station is not enough."""
        if self._absence.failures:
            self._tell(self._absence.answered(asyncio.get_running_loop().time(), waiting=self._waiting()))

    def _failed(self, error: Exception) -> float:
        """Say what a person must know of it; seconds until the next attempt."""
        why = str(error) if isinstance(error, LoupeError) else f"{type(error).__name__}: {error}"
        lasting = isinstance(error, _LASTING)
        now = asyncio.get_running_loop().time()
        waiting = 0
        with suppress(StorageError):  # then the error is the ledger's, and says so
            waiting = self._waiting()
        self._tell(self._absence.failed(now, f"uplink: {why}", waiting=waiting, lasting=lasting))
        asked_s = error.retry_after_s if isinstance(error, OverloadedError) else None
        return self._pace.backoff.delay_s(
            self._absence.failures, self._pace.lasting_s if lasting else asked_s
        )

    def _tell(self, what: str | None) -> None:
        if what is not None:
            self._feed.alarm(what)


async def _wait(stopping: asyncio.Event, longest_s: float) -> None:
    """Until it is time to end, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await stopping.wait()
