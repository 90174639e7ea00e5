"""A worker's heartbeat: keeps its order while it works, and hears whether it is to stop.

It beats in a thread of its own, since a scene model may take long over one step. It knows nothing of images.
"""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self

import structlog

from server.storage.imagery_queue import ImageryQueue, Lease, LeaseLostError
from vision.errors import CancelledError, StorageError

_LOG = structlog.get_logger("server.imagery.worker")


class Stop(StrEnum):
    """Why the work is not to go on."""

    CANCELLED = "cancelled"
    LOST = "lost"
    LEAVING = "leaving"


class Pulse:
    """While it is entered, an order is kept.

    Args:
        lease_s: how long an order is kept from each beat on.
        leaving: set where the whole worker is to end.
    """

    def __init__(
        self, queue: ImageryQueue, lease: Lease, *, lease_s: float, leaving: threading.Event
    ) -> None:
        self._queue, self._lease, self._lease_s, self._leaving = queue, lease, lease_s, leaving
        self._every_s = min(1.0, lease_s / 4)  # a cancelled order is noticed within it
        self._stop: Stop | None = None
        self._over = threading.Event()
        self._held_until = time.monotonic() + lease_s
        self._spent_s: dict[int, float] = {}
        self._at: tuple[int, float] | None = None
        self._counting = threading.Lock()  # the two above belong together
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def stop(self) -> Stop | None:
        """Why the work is not to go on; nothing where it is."""
        return Stop.LEAVING if self._stop is None and self._leaving.is_set() else self._stop

    def go_on(self) -> None:
        """See that the work is to go on.

        Raises:
            CancelledError: it is not; `stop` says why.
        """
        stop = self.stop
        if stop is not None:
            raise CancelledError(f"job '{self._lease.job_id}': {stop}")

    def begin(self, number: int) -> None:
        """From now on time is spent on this candidate, and on no other: their seconds add up to those of the device."""
        with self._counting:
            if self._at is not None:
                self._spent_s[self._at[0]] = self._spent(self._at[0])
            self._spent_s.setdefault(number, 0.0)
            self._at = (number, time.monotonic())

    def spent_s(self, number: int) -> float:
        """Seconds spent on a candidate in this turn so far."""
        with self._counting:
            return self._spent(number)

    def _spent(self, number: int) -> float:
        at = self._at
        now = time.monotonic() - at[1] if at is not None and at[0] == number else 0.0
        return self._spent_s.get(number, 0.0) + now

    def flush(self) -> None:
        """Beat once more, so that what was spent is put down; a lost order's last seconds are not worth a fault."""
        with suppress(LeaseLostError, StorageError):
            self._once()

    def _beat(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._once()
            except LeaseLostError:
                self._stop = Stop.LOST
                return
            except StorageError as error:  # the database may be back before the lease runs out
                _LOG.warning("no heartbeat", job=self._lease.job_id, why=str(error))
                if time.monotonic() > self._held_until:
                    self._stop = Stop.LOST
                    return

    def _once(self) -> None:
        began = time.monotonic()
        until = datetime.now(UTC) + timedelta(seconds=self._lease_s)
        spent = {number: self.spent_s(number) for number in tuple(self._spent_s)}
        if self._queue.beat(self._lease, until=until, spent_s=spent):
            self._stop = Stop.CANCELLED
        self._held_until = began + self._lease_s
