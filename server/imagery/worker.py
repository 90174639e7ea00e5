"""A worker: takes up one order after the other and carries each out, until it is told to leave.

One pipeline a worker and one order at a time, as pipelines are not re-entrant; for more at once there are more workers. It shares nothing with
the server but the database and the pictures.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from server.imagery.carrying import Carrying
from server.imagery.ports import Studio
from server.storage.blobs import Blobs
from server.storage.imagery_queue import ImageryQueue, Work
from server.storage.imagery_tables import AttemptEnd
from vision.errors import StorageError

_LONGEST_S: Final = 15.0
_LOG: Final = structlog.get_logger("server.imagery.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a worker goes about it.

    Attributes:
        name: as it is recorded; of no other worker that runs.
        lease_s: after how long without a heartbeat an order is taken for lost.
        poll_s: how long it waits before it looks again where no order waits; where it had to give one back, longer each time.
        once: leave when no order waits.
    """

    name: str
    lease_s: float = 30.0
    poll_s: float = 0.5
    once: bool = False


class Worker:
    """One worker.

    Args:
        leaving: set from outside to have it leave; the order at hand waits for another then.
    """

    def __init__(
        self, queue: ImageryQueue, blobs: Blobs, studio: Studio, habits: Habits, leaving: threading.Event
    ) -> None:
        self._queue, self._studio, self._habits, self._leaving = queue, studio, habits, leaving
        self._carrying = Carrying(queue, blobs, studio, lease_s=habits.lease_s, leaving=leaving)

    def run(self, told: Callable[[Work, AttemptEnd], None] = lambda _, __: None) -> Counter[AttemptEnd]:
        """Work until told to leave; gives how many turns ended how.

        Args:
            told: hears of each turn that has ended.
        """
        ends: Counter[AttemptEnd] = Counter()
        wait_s = self._habits.poll_s
        while not self._leaving.is_set():
            try:
                end = self._turn(told)
            except StorageError as error:  # the database is away: looked for again
                _LOG.warning("database not reached", why=str(error))
            else:
                if end is None and self._habits.once:
                    break
                if end is not None:
                    ends[end] += 1
                if end is not AttemptEnd.RETURNED:  # given back, it would be this worker's again at once
                    wait_s = self._habits.poll_s
                    if end is not None:
                        continue
            self._leaving.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_S)
        return ends

    def _turn(self, told: Callable[[Work, AttemptEnd], None]) -> AttemptEnd | None:
        """Carry out the next order; nothing where none waits."""
        work = self._take()
        if work is None:
            return None
        end = self._carrying.carry_out(work)
        told(work, end)
        return end

    def _take(self) -> Work | None:
        return self._queue.take(
            worker=self._habits.name,
            device=self._studio.device,
            now=datetime.now(UTC),
            lease=timedelta(seconds=self._habits.lease_s),
            generators=self._studio.generators,
        )
