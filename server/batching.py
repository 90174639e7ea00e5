"""One model's queue: who goes next, how many together, and who is told at the door that it is too late.

Takes items with deadlines, gives answers. The cost of a batch of n is `per_item_s * n + per_batch_s`, measured before the
first request. A request enters only if the work ahead of it leaves its deadline within reach; waiting requests go in order of lane,
then deadline; a batch starts whenever a worker falls idle and grows only while its earliest deadline can still be kept. A lone batch has
all cores, several have one each. It knows nothing of pictures, models or the wire. All of it runs on one event loop; only the runs are
in threads.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Final, Generic, TypeVar

import numpy as np

from vision.errors import DeadlineError, LoupeError, OverloadedError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_LEARNING: Final = 0.1  # share of the newest in the running estimates of how slow it goes
_A_BACKLOG: Final = 4  # requests ahead; fewer say little about how backlogs drain
_SLOWEST: Final = 10.0  # times the measured cost; more is a stall, not a speed
_NEARLY_BEST: Final = 1.02
_HANDING_OVER_S: Final = 1e-3  # of a batch to a thread and back, while threads wait for cores: decision 9
_SHORTEST_RETRY_S: Final = 0.02


class Lane(IntEnum):
    """Who goes first: a smaller lane before a larger one, whatever their deadlines."""

    LINE = 0
    CATALOG = 1
    BULK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds that a batch takes on one worker while all others are busy, too."""

    per_item_s: float
    per_batch_s: float

    def of(self, items: int) -> float:
        return self.per_item_s * items + self.per_batch_s


def fit_cost(measured: Mapping[int, float]) -> Cost:
    """The least-squares line through seconds by batch size, neither part negative."""
    sizes, seconds = np.array(list(measured)), np.array(list(measured.values()))
    if len(sizes) == 1:
        return Cost(per_item_s=float(seconds[0] / sizes[0]), per_batch_s=0.0)
    slope, offset = np.polyfit(sizes, seconds, 1)
    if offset < 0 or slope <= 0:
        return Cost(per_item_s=float((seconds / sizes).mean()), per_batch_s=0.0)
    return Cost(per_item_s=float(slope), per_batch_s=float(offset))


def best_batch(measured: Mapping[int, float]) -> int:
    """The smallest size whose seconds an item are within 2 % of the best, the handing over of a batch included.

    Larger is not always faster: small int8 networks fill the caches with one picture and spill over with eight.
    """
    shares = {size: (seconds + _HANDING_OVER_S) / size for size, seconds in measured.items()}
    return min(size for size, share in shares.items() if share <= _NEARLY_BEST * min(shares.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Generic[Answer]):
    """An answer and what it took: seconds waited, seconds of the batch's run, and the batch's size."""

    answer: Answer
    queue_s: float
    run_s: float
    batch: int


@dataclass(slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    deadline: float
    since: float
    done: asyncio.Future[Served[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs(Generic[Item, Answer]):
    """How batches are answered, in order.

    Attributes:
        alone: with every core, for a batch that has the machine to itself.
        beside: with one core, called by up to `workers` threads at once.
    """

    alone: Callable[[list[Item]], Sequence[Answer]]
    beside: Callable[[list[Item]], Sequence[Answer]]
    workers: int


class Batcher(Generic[Item, Answer]):
    """A queue before one model.

    Args:
        runs: what answers batches.
        cost: of `runs.beside` while all workers are busy.
        max_batch: the largest batch.
        max_waiting: requests inside at once; more are refused whatever their deadline.
        clock: monotonic seconds, on which deadlines lie.
    """

    def __init__(
        self,
        runs: Runs[Item, Answer],
        *,
        cost: Cost,
        max_batch: int,
        max_waiting: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs, self._cost, self._clock = runs, cost, clock
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._threads = ThreadPoolExecutor(runs.workers, thread_name_prefix="model")
        self._heap: list[tuple[int, float, int, _Waiting[Item, Answer]]] = []
        self._order = itertools.count()
        self._inside = dict.fromkeys(Lane, 0)
        self._share_s = cost.of(max_batch) / max_batch / runs.workers  # for each item of a backlog
        self._slowdown = 1.0
        self._backlog_slowdown = dict.fromkeys(Lane, 1.0)
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def inside(self) -> int:
        """Requests admitted and not answered."""
        return sum(self._inside.values())

    def expected_s(self, lane: Lane) -> float:
        """Seconds until a request that came now would be answered.

        The backlog's part is scaled by how much longer such backlogs took lately: decoding, keeping results and other lanes share the
        cores with the model. Where nothing is ahead nothing is scaled but the run, so that one bad minute cannot shut the door for good.
        """
        backlog = self._backlog_slowdown[lane] * self._share_s * self._ahead(lane)
        return backlog + self._slowdown * self._cost.of(1)

    def _ahead(self, lane: Lane) -> int:
        return sum(count for other, count in self._inside.items() if other <= lane)

    @contextmanager
    def admitted(self, *, deadline: float, lane: Lane, items: int = 1) -> Iterator[None]:
        """Hold a place from before decoding until the answer, or as many as the request will submit `items`.

        Raises:
            OverloadedError: the deadline cannot be kept behind the work that is already inside, or the house is full.
            DeadlineError: the deadline has passed already.
        """
        left = deadline - self._clock()
        if left <= 0:
            raise DeadlineError(f"the deadline passed {-left:.3f} s ago")
        # whoever finds the house empty is let in by the measured cost alone: only what runs can unlearn a stall
        expected = self.expected_s(lane) if self.inside else self._cost.of(1)
        expected += self._share_s * (items - 1)
        full = self.inside > 0 and self.inside + items > self._max_waiting
        if self._closed or full or expected > left:
            retry = max(expected - left, self._cost.of(self._max_batch), _SHORTEST_RETRY_S)
            raise OverloadedError(
                f"{self.inside} requests inside: expected an answer in {expected:.3f} s, found {left:.3f} s left",
                retry_after_s=retry,
            )
        ahead, entered = self._ahead(lane), self._clock()
        self._inside[lane] += items
        self._idle.clear()
        try:
            yield
            self._learn(lane, ahead, self._clock() - entered)
        except DeadlineError:
            self._learn(lane, ahead, self._clock() - entered)
            raise
        finally:
            self._inside[lane] -= items
            if not self.inside:
                self._idle.set()

    async def submit(self, item: Item, *, deadline: float, lane: Lane) -> Served[Answer]:
        """Wait for a place in a batch and for its answer; cancelling it takes it out of the queue.

        Raises:
            DeadlineError: the deadline came before the item's turn.
        """
        waiting = _Waiting[Item, Answer](
            item, deadline, self._clock(), asyncio.get_running_loop().create_future()
        )
        heapq.heappush(self._heap, (lane, deadline, next(self._order), waiting))
        self._start()
        return await waiting.done

    async def close(self) -> None:
        """Refuse what is new, answer what is inside, end the thread."""
        self._closed = True
        await self._idle.wait()
        self._threads.shutdown(wait=False)

    def _learn(self, lane: Lane, ahead: int, took_s: float) -> None:
        """Compare what a request behind a backlog took with what the backlog alone should have taken."""
        if ahead < _A_BACKLOG:
            return
        ratio = (took_s - self._cost.of(1)) / (self._share_s * ahead)
        known = self._backlog_slowdown[lane]
        self._backlog_slowdown[lane] = known + _LEARNING * (min(max(ratio, 1.0), _SLOWEST) - known)

    # --- batches

    def _start(self) -> None:
        """Give every idle worker a batch, while there are any."""
        while self._running < self._runs.workers and (batch := self._next_batch()):
            alone = self._running == 0 and not self._heap
            self._running += 1
            run = self._runs.alone if alone else self._runs.beside
            loop, started = asyncio.get_running_loop(), self._clock()
            running = loop.run_in_executor(self._threads, run, [one.item for one in batch])
            running.add_done_callback(partial(self._finish, batch, started))

    def _next_batch(self) -> list[_Waiting[Item, Answer]]:
        """The next to go, as many as leave the earliest deadline among them within reach."""
        now, batch, earliest = self._clock(), list[_Waiting[Item, Answer]](), float("inf")
        slowdown = 1.0 if self.inside <= 1 else self._slowdown  # as at the door
        while self._heap and len(batch) < self._max_batch:
            waiting = self._heap[0][3]
            gone = waiting.done.done()  # cancelled by its caller
            if gone or now + slowdown * self._cost.of(1) > waiting.deadline:
                heapq.heappop(self._heap)
                if not gone:
                    waited = now - waiting.since
                    waiting.done.set_exception(
                        DeadlineError(f"the deadline came too near after {waited:.3f} s of waiting")
                    )
                continue
            earliest = min(earliest, waiting.deadline)
            if batch and now + slowdown * self._cost.of(len(batch) + 1) > earliest:
                break
            heapq.heappop(self._heap)
            batch.append(waiting)
        return batch

    def _finish(
        self,
        batch: list[_Waiting[Item, Answer]],
        started: float,
        running: asyncio.Future[Sequence[Answer]],
    ) -> None:
        took = self._clock() - started
        self._running -= 1
        error = running.exception()
        if error is None:
            ratio = took / self._cost.of(len(batch))
            self._slowdown += _LEARNING * (min(max(1.0, ratio), _SLOWEST) - self._slowdown)
        for index, waiting in enumerate(batch):
            if waiting.done.done():
                continue
            if error is not None:
                waiting.done.set_exception(
                    error if isinstance(error, LoupeError) else LoupeError(f"the model's run failed: {error}")
                )
                continue
            waiting.done.set_result(
                Served(
                    answer=running.result()[index],
                    queue_s=started - waiting.since,
                    run_s=took,
                    batch=len(batch),
                )
            )
        self._start()
