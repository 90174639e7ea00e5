"""The way to a server over gRPC: a thread with an event loop of its own, for all stations of a box.

A station's loop and its ledger's thread wait for nothing here: rows are read through a connection that only reads, and what was acknowledged
is told through a `Mark`. What is said, and when, is `edge.reporting`'s.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import grpc

from edge.outbox import Feed
from edge.reporting import Pace, Reporter, Say
from edge.soon import soon
from edge.uplink_table import UplinkTable
from vision.client.connection import Connection, Tls
from vision.client.status import failure_of
from vision.errors import DeadlineError, SettingsError, WireError
from vision.v1 import fleet_pb2
from vision.v1.fleet_pb2_grpc import FleetServiceStub


class Uplink:
    """The thread, with a task for each station."""

    def __init__(self, table: UplinkTable, feeds: Sequence[Feed], *, pace: Pace | None = None) -> None:
        how = pace or Pace()
        self._reporters = [
            Reporter(
                one,
                partial(connected, table, one.station, answer_s=how.answer_s),
                where=str(table.server),
                absence_s=table.away_alarm_s,
                pace=how,
            )
            for one in feeds
        ]
        self._loop = asyncio.new_event_loop()
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """Report what is there, if the server answers, and end; wait no longer than the patience."""
        for event in (self._stopping, self._ended):
            soon(self._loop, event.set)
            self._thread.join(patience_s)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._work())

    async def _work(self) -> None:
        tasks = [asyncio.create_task(one.run(self._stopping)) for one in self._reporters]
        ended: asyncio.Task[Any] = asyncio.create_task(self._ended.wait())
        under_way: set[asyncio.Task[Any]] = {*tasks}
        while under_way and not ended.done():
            _, under_way = await asyncio.wait([*under_way, ended], return_when=asyncio.FIRST_COMPLETED)
            under_way.discard(ended)
        for task in (*under_way, ended):
            task.cancel()
        await asyncio.wait([*tasks, ended])


class _Server:
    """The calls of one connection, as `edge.reporting.Server` has them."""

    def __init__(self, connection: Connection, channel: grpc.aio.Channel, answer_s: float) -> None:
        self._stub: Any = FleetServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._connection, self._answer_s = connection, answer_s

    async def register(self, request: fleet_pb2.RegisterRequest) -> None:
        with self._translated():
            await self._stub.Register(request, metadata=self._connection.metadata, timeout=self._answer_s)

    async def beat(self, request: fleet_pb2.HeartbeatRequest) -> None:
        with self._translated():
            await self._stub.Heartbeat(request, metadata=self._connection.metadata, timeout=self._answer_s)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[Say]:
        call = self._stub.ReportResults(metadata=self._connection.metadata)

        async def say(request: fleet_pb2.ReportResultsRequest) -> fleet_pb2.ReportResultsResponse:
            with self._translated():
                async with asyncio.timeout(self._answer_s):
                    with suppress(asyncio.InvalidStateError):  # it has ended; reading says why
                        await call.write(request)
                    response = await call.read()
            if not isinstance(response, fleet_pb2.ReportResultsResponse):
                raise WireError(
                    f"{self._connection.address}: expected an answer to reported parts, found the stream's end"
                )
            return response

        try:
            yield say
            with self._translated():
                async with asyncio.timeout(self._answer_s):
                    await call.done_writing()
                    await call.read()
        finally:
            call.cancel()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise self._connection.error(failure_of(error)) from error
        except TimeoutError as error:
            raise DeadlineError(
                f"{self._connection.address}: expected an answer within {self._answer_s:g} s, found none"
            ) from error


@asynccontextmanager
async def connected(table: UplinkTable, station: str, *, answer_s: float) -> AsyncIterator[_Server]:
    """The server as a station reaches it; it connects when first used.

    Raises:
        SettingsError: a file cannot be used, or a token may not be sent there.
    """
    connection = _connection(table, station)
    channel = connection.open_async()
    try:
        yield _Server(connection, channel, answer_s)
    finally:
        await channel.close()


def _connection(table: UplinkTable, station: str) -> Connection:
    tls = None if table.tls is None else Tls(**table.tls.model_dump())
    path = table.token_of(station)
    try:
        token = None if path is None else path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"uplink.token: {path}: expected a file with a token: {error}") from error
    return Connection(address=str(table.server), tls=tls, token=token)


async def reach(table: UplinkTable, station: str, *, patience_s: float) -> None:
    """Ask the server whether the station may report there; nothing is changed.

    Raises:
        LoupeError: it may not, or nobody answers.
    """
    async with connected(table, station, answer_s=patience_s) as server, server.reporting() as say:
        await say(fleet_pb2.ReportResultsRequest(station=station))
