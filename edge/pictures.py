"""Pictures on the box, kept by value: of every part that was rejected, sent to review or not judged, and of a random sample of accepted ones.

Listens to a station and writes in a thread beside it. What cannot be kept is counted and told once: the line decides, whether or not
there is room to store. Which accepted parts are in the sample depends on chance alone, and can be told again from boot and part.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.aside import Aside
from edge.ledger import Ended, Outcome
from edge.parts import Finished
from edge.ports import Shot
from edge.shelf import Label, Shelf
from edge.shots import lossless, weight
from edge.soon import soon

FOLDER: Final = "pictures"
_MAX_WAITING: Final = 32 * 2**20
_PATIENCE_S: Final = 20.0  # for a slow disk, when the line ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is kept: bytes of all pictures, bytes of the disk that stay free, and the share of accepted parts, 0..1."""

    budget_bytes: int
    keep_free_bytes: int
    accept_share: float


def sampled(boot: str, part: int, share: float) -> bool:
    """Whether an accepted part is in the audit's sample: a draw from its boot, which is random, and its number."""
    draw = int.from_bytes(hashlib.sha256(f"{boot}/{part}".encode()).digest()[:8], "big")
    return draw < share * 2**64


class Pictures:
    """A listener that keeps pictures in a station's folder.

    Args:
        boot: names this run of the program.
        alarm: told, on the event loop, that pictures are not kept.
    """

    def __init__(self, folder: Path, terms: Terms, *, boot: str, alarm: Callable[[str], None]) -> None:
        self._folder, self._terms, self._boot, self._alarm = folder, terms, boot, alarm
        self._aside: Aside[tuple[Ended, tuple[Shot, ...]]] = Aside(
            "pictures",
            self._keep,
            failed=lambda work, error: self._lose(work[0].part, str(error)),
            max_bytes=_MAX_WAITING,
        )
        self._shelf: Shelf | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop
        self.kept = self.lost = 0  # parts

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._aside.start()

    def hear(self, finished: Finished) -> None:
        """Keep the part's pictures, where it has any and they are worth it."""
        ended, shots = finished.ended, finished.shots
        if not shots:
            return
        if ended.outcome is Outcome.ACCEPT and not sampled(self._boot, ended.part, self._terms.accept_share):
            return
        if not self._aside.offer((ended, shots), weight(shots)):
            self._lose(ended.part, "the disk was not fast enough")

    async def stop(self) -> None:
        """Write what waits."""
        if not await asyncio.to_thread(self._aside.finish, _PATIENCE_S):
            self._alarm(f"pictures: the disk did not take the last ones within {_PATIENCE_S:.0f} s")
        if self.lost:
            self._alarm(f"pictures: those of {self.lost} parts were not kept")

    # --- in the thread

    def _keep(self, work: tuple[Ended, tuple[Shot, ...]]) -> None:
        ended, shots = work
        label = Label(part=ended.part, outcome=ended.outcome, reason=ended.reason, boot=self._boot)
        self._opened().put(label, [lossless(one) for one in shots])
        self.kept += 1

    def _opened(self) -> Shelf:
        """Opened with the first picture, since listing many takes a while; and again where that failed."""
        if self._shelf is None:
            self._shelf = Shelf(
                self._folder,
                budget_bytes=self._terms.budget_bytes,
                keep_free_bytes=self._terms.keep_free_bytes,
            )
        return self._shelf

    def _lose(self, part: int, why: str) -> None:
        with self._lock:  # both threads lose pictures
            self.lost += 1
            first = self.lost == 1
        if first:
            said = f"pictures: those of part {part} are not kept: {why}; parts are judged all the same, and further losses are counted"
            soon(self._loop, self._alarm, said)
