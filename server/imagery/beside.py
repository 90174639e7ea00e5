"""One thing done beside another: what was made is looked at in a thread while the next one is made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Beside:
    """While it is entered, one piece of work at a time is done in a thread; leaving waits for the last, whatever it is left for.

    What a piece raises comes out of the next call, or of leaving.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread:
            self._settle()

    def do(self, work: Callable[[], None]) -> None:
        """Begin a piece of work once the one before is done."""
        self._settle()
        self._last = self._thread.submit(work)

    def _settle(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()
