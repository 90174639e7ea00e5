"""The ledger in a thread of its own: what comes in while the disk is busy is committed together.

`begin` names the part at once and promises its row; `end` is promised too, and nobody need wait. Once the disk has refused, everything
after is refused: a station without a ledger must not judge parts. It knows nothing of what the rows say.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.ledger import Begun, Ended, Found, Ledger
from edge.outbox import Mark
from edge.soon import soon
from vision.errors import LoupeError, StorageError


@dataclass(frozen=True, slots=True)
class _Asked:
    change: Begun | Ended
    kept: asyncio.Future[None]


class LedgerWriter:
    """A ledger, opened and used by one thread, for the event loop that `start` is called on.

    Args:
        open_ledger: called in the thread.
        alarm: told, on the event loop, that the reserve was given up.
        wall: the time for people.
        mark: where the thread that reports says what a server has; absent: nobody reports.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        *,
        alarm: Callable[[str], None],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        mark: Mark | None = None,
    ) -> None:
        self._open_ledger, self._alarm, self._wall = open_ledger, alarm, wall
        self._mark = mark or Mark()
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._next_part = 0
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[Found]

    async def start(self) -> Found:
        """Open the ledger and say what was found.

        Raises:
            StorageError: it cannot be opened.
        """
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._thread.start()
        found = await self._opened
        self._next_part = found.last_part + 1
        return found

    def begin(self, counter: int | None) -> tuple[int, asyncio.Future[None]]:
        """A new part's number, and the promise of its row."""
        part, self._next_part = self._next_part, self._next_part + 1
        return part, self._ask(Begun(part=part, at=self._wall(), counter=counter))

    def end(self, ended: Ended) -> asyncio.Future[None]:
        """The promise that an outcome is kept."""
        return self._ask(ended)

    async def stop(self) -> None:
        """Keep what was asked for and close the ledger."""
        self._asked.put(None)
        await asyncio.to_thread(self._thread.join)

    def _ask(self, change: Begun | Ended) -> asyncio.Future[None]:
        asked = _Asked(change, self._loop.create_future())
        asked.kept.add_done_callback(_looked_at)
        self._asked.put(asked)
        return asked.kept

    # --- in the thread

    def _work(self) -> None:
        try:
            ledger = self._open_ledger()
        except Exception as error:  # noqa: BLE001  (the thread's boundary: whoever waits for the ledger must hear of it)
            self._tell(self._opened, _refusal(error))
            return
        self._tell(self._opened, ledger.found)
        try:
            self._serve(ledger)
        finally:
            ledger.close()

    def _serve(self, ledger: Ledger) -> None:
        refused: LoupeError | None = None
        going_on, reserved, discarding = True, ledger.reserved, False
        self._mark.discarded = ledger.discarded
        while going_on:
            batch, going_on = self._batch()
            if not batch:
                continue
            if refused is None:
                try:
                    ledger.commit([one.change for one in batch], acknowledged=self._mark.acknowledged)
                except Exception as error:  # noqa: BLE001  (as above)
                    refused = _refusal(error)
            for one in batch:
                self._tell(one.kept, refused)
            if reserved and not ledger.reserved:
                reserved = False
                soon(self._loop, self._alarm, "the disk is full: the ledger's reserve is in use")
            if ledger.discarded > self._mark.discarded and not discarding:
                discarding = True
                soon(
                    self._loop,
                    self._alarm,
                    "the ledger has as many rows as it may: the oldest are deleted, and no server has them",
                )
            self._mark.discarded = ledger.discarded

    def _batch(self) -> tuple[list[_Asked], bool]:
        """Everything that waits, at least one; and whether more may come."""
        batch: list[_Asked] = []
        asked = self._asked.get()
        while asked is not None:
            batch.append(asked)
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _tell(self, future: "asyncio.Future[None] | asyncio.Future[Found]", answer: object) -> None:
        def tell() -> None:
            if future.done():
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)  # type: ignore[arg-type]  # each future is told what it is for

        soon(self._loop, tell)


def _refusal(error: Exception) -> LoupeError:
    """What a station understands."""
    return (
        error if isinstance(error, LoupeError) else StorageError(f"ledger: {type(error).__name__}: {error}")
    )


def _looked_at(future: asyncio.Future[None]) -> None:
    """Nobody need await a promise; without this asyncio would complain of those that failed unseen."""
    if not future.cancelled():
        future.exception()
