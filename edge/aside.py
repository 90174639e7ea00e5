"""Work that no part waits for: done in order, in a thread of its own that yields to all others, from a queue bounded in bytes.

What does not fit is refused at once; whoever offers it says what is lost. It knows nothing of what the work is.
"""

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, TypeVar

Work = TypeVar("Work")

_NICE: Final = 10  # cores belong to the model first; on Linux each thread has a niceness of its own


class Aside(Generic[Work]):
    """A thread beside a station.

    Args:
        do: called in the thread with one piece of work at a time.
        failed: called in the thread with a piece of work that `do` raised on, and with what it raised.
        max_bytes: of all that waits or is being done; a single piece may be larger when nothing else waits.
    """

    def __init__(
        self,
        name: str,
        do: Callable[[Work], None],
        *,
        failed: Callable[[Work, Exception], None],
        max_bytes: int,
    ) -> None:
        self._do, self._failed, self._max_bytes = do, failed, max_bytes
        self._queue: queue.SimpleQueue[tuple[Work, int] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._ended = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, work: Work, size: int) -> bool:
        """Have work done that holds `size` bytes; false where there is no room for it. From any thread; waits for nothing."""
        with self._lock:
            if self._ended or (self._waiting and self._waiting + size > self._max_bytes):
                return False
            self._waiting += size
            self._queue.put((work, size))
        return True

    def finish(self, patience_s: float) -> bool:
        """Take no more, and wait for what was taken; false where it was not done in that time."""
        with self._lock:
            self._ended = True
            self._queue.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while (taken := self._queue.get()) is not None:
            self._one(*taken)
            del taken  # the next may be long in coming, and pictures are large

    def _one(self, work: Work, size: int) -> None:
        try:
            self._do(work)
        except Exception as error:  # noqa: BLE001  (the thread's loop: one piece that fails is told, and the next is done)
            self._failed(work, error)
        finally:
            with self._lock:
                self._waiting -= size
