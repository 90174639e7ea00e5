"""One thing done beside another: what was made is looked at in a thread while the next one is made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import structlog

_LOG = structlog.get_logger("server.imagery.worker")


class Beside:
    """While it is entered, one piece of work at a time is done in a thread; leaving waits for the last, whatever it is left for.

    What a piece raises comes out of the next call, or of leaving. Where it is left for another fault, that one comes out, and the piece's is in
    the log.
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
            if error is None:
                self._settle()
            elif self._last is not None and (fault := self._last.exception()) is not None:
                _LOG.warning("failed beside another fault", exc_info=fault)

    def do(self, work: Callable[[], None]) -> None:
        """Begin a piece of work once the one before is done."""
        self._settle()
        self._last = self._thread.submit(work)

    def _settle(self) -> None:
        last, self._last = self._last, None
        try:
            if last is not None:
                last.result()
        finally:
            del last  # its fault's traceback holds this frame: the two would keep each other, and all that was being made
