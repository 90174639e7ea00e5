"""The decode pool: a few threads, and an order before them.

OpenCV decodes without the interpreter's lock, so threads suffice. Those who wait go in order of lane, then deadline; a
request that is cancelled or late while it waits costs nothing. It knows nothing of what is decoded.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from server.batching import Lane
from vision.errors import DeadlineError

Result = TypeVar("Result")


class DecodePool:
    """`workers` threads.

    Args:
        clock: monotonic seconds, on which deadlines lie.
    """

    def __init__(self, workers: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._free, self._clock = workers, clock
        self._waiting: list[tuple[int, float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def run(self, work: Callable[[], Result], *, deadline: float, lane: Lane) -> Result:
        """`work` in a thread, in its turn.

        Raises:
            DeadlineError: the deadline passed before its turn came.
        """
        await self._turn(deadline, lane)
        if self._clock() > deadline:
            self._release()
            raise DeadlineError("the deadline passed before the picture could be decoded")
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(lambda _: self._release())
        return await asyncio.shield(running)  # who leaves does not free the thread any earlier

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, deadline: float, lane: Lane) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, deadline, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come in the same moment
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[3]
            if not turn.done():
                turn.set_result(None)  # the place goes on to the next
                return
        self._free += 1
