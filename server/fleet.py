"""The stations that report here: who they are, how they do, and the parts that they account for.

Between the rim and the storage. Writing happens in threads of its own, so that a disk that hangs holds up neither the event loop nor those
who are let in by other threads. It knows nothing of the wire.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from server.metrics import Metrics
from server.storage.stations import Kept, StationResult, Stations

_WRITING: Final = 4  # at once; PostgreSQL takes them side by side, SQLite in turn
_LOG: Final = structlog.get_logger("server.fleet")

Answer = TypeVar("Answer")


class Fleet:
    """The stations of a database.

    Args:
        wall: the time at which stations are heard of.
    """

    def __init__(
        self,
        stations: Stations,
        metrics: Metrics,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stations, self._metrics, self._wall = stations, metrics, wall
        self._writing = ThreadPoolExecutor(_WRITING, thread_name_prefix="fleet")

    async def recall(self) -> None:
        """Show in the metrics when stations were last heard of, also before this start.

        Raises:
            StorageError: the database does not answer.
        """
        for one in await self._run(self._stations.all):
            self._metrics.seen(one.name, one.seen_at)

    async def register(self, station: str, *, boot: str, version: str, bundle: str) -> None:
        """A station has connected.

        Raises:
            StorageError: it was not written.
        """
        now = self._wall()
        known = partial(self._stations.register, station, boot=boot, version=version, bundle=bundle, at=now)
        await self._run(known)
        self._metrics.seen(station, now)
        _LOG.info("station registered", station=station, boot=boot, version=version, bundle=bundle)

    async def beat(
        self,
        station: str,
        *,
        boot: str,
        bundle: str,
        since_boot: Mapping[str, int],
        waiting: int,
        discarded: int,
    ) -> None:
        """A station says how it does.

        Raises:
            StorageError: it was not written.
        """
        now = self._wall()
        await self._run(
            partial(
                self._stations.beat, station, boot=boot, bundle=bundle, since_boot=since_boot,
                waiting=waiting, discarded=discarded, at=now,
            )
        )  # fmt: skip
        self._metrics.seen(station, now)

    async def keep(self, station: str, results: Sequence[StationResult]) -> Kept:
        """Keep a station's parts; once this returns they survive a power cut.

        Raises:
            StorageError: none of them was written.
        """
        now = self._wall()
        kept = await self._run(partial(self._stations.keep, station, results, at=now))
        for outcome, parts in kept.new.items():
            self._metrics.reported(station, outcome, parts)
        if results:
            self._metrics.seen(station, now)
        for boot, part in sorted(kept.conflicts):
            _LOG.warning("a part was reported with other content", station=station, boot=boot, part=part)
        return kept

    def refused(self, station: str, parts: int) -> None:
        """Count parts that were not taken."""
        if parts:
            self._metrics.report_refused(station, parts)

    def close(self) -> None:
        """Wait for what is being written."""
        self._writing.shutdown()

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._writing, work)
