"""Records one station: what its models are shown, in order, what they said, and what became of the parts.

It stands around the models, since the order in which they saw parts is what the drift test depends on, and listens to the station. It
only ever puts into a queue: a part waits for nothing, and what finds no room there becomes a gap.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.aside import Aside
from edge.parts import Finished, Judge, Judged, Judges
from edge.ports import Shot
from edge.shift.format import EndedLine, Said, to_said
from edge.shift.writer import ShiftWriter
from edge.shots import weight
from edge.soon import soon

_MAX_WAITING: Final = 64 * 2**20
_LINE_BYTES: Final = 1024  # about what a line without pictures takes
_PATIENCE_S: Final = 60.0  # for a slow disk, when the line ends


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    n: int
    recipe: int | None
    shots: tuple[Shot, ...]
    bundle: str | None = None
    said: Said | None = None
    error: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


class Recorder:
    """A listener that records.

    Args:
        writer: of a recording that is new.
        alarm: told, on the event loop, that parts are not recorded.
        max_waiting_bytes: of pictures that the disk has not taken yet.
    """

    def __init__(
        self,
        writer: ShiftWriter,
        *,
        alarm: Callable[[str], None],
        max_waiting_bytes: int = _MAX_WAITING,
    ) -> None:
        self._writer, self._alarm = writer, alarm
        self._aside: Aside[_Seen | EndedLine] = Aside(
            "recorder",
            self._write,
            failed=lambda work, error: self._lose(work, str(error)),
            max_bytes=max_waiting_bytes,
        )
        self._lock = threading.Lock()
        self._shown: dict[
            int, tuple[int, tuple[Shot, ...]]
        ] = {}  # by the pictures' identity, until the part ends
        self._loop: asyncio.AbstractEventLoop
        self.judged = self.lost = 0

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._aside.start()

    def watching(self, recipe: int | None, judge: Judge) -> Judge:
        """The same judge, whose work is recorded. Called in the model's thread."""

        def watched(shots: tuple[Shot, ...]) -> Judged:
            n = self._enter(shots)
            try:
                judged = judge(shots)
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                self._offer(_Seen(n=n, recipe=recipe, shots=shots, error=told), weight(shots))
                raise
            seen = _Seen(
                n=n,
                recipe=recipe,
                shots=shots,
                bundle=judged.bundle,
                said=to_said(judged.verdict),
                timings=judged.timings,
            )
            self._offer(seen, weight(shots))
            return judged

        return watched

    def hear(self, finished: Finished) -> None:
        """Say what became of a part that a model was shown."""
        with self._lock:
            n, _ = self._shown.pop(id(finished.shots), (0, ()))
        if n:
            ended = finished.ended
            line = EndedLine(
                n=n,
                part=ended.part,
                outcome=ended.outcome,
                reason=ended.reason,
                timings=ended.timings,
            )
            self._offer(line, _LINE_BYTES)

    async def stop(self) -> None:
        """Write what waits."""
        if await asyncio.to_thread(self._aside.finish, _PATIENCE_S):
            try:
                self._writer.close(self.judged)
            except Exception as error:  # noqa: BLE001  (the line has ended well; only its recording has not)
                self._alarm(f"recording: {error}")
        else:
            self._alarm(f"recording: the disk did not take the last parts within {_PATIENCE_S:.0f} s")
        if self.lost:
            self._alarm(f"recording: {self.lost} of {self.judged} judged parts are not in it")

    def _enter(self, shots: tuple[Shot, ...]) -> int:
        with self._lock:
            self.judged += 1
            self._shown[id(shots)] = (self.judged, shots)
            return self.judged

    def _offer(self, work: _Seen | EndedLine, size: int) -> None:
        if not self._aside.offer(work, size + _LINE_BYTES):
            self._lose(work, "the disk was not fast enough")

    # --- in the thread

    def _write(self, work: _Seen | EndedLine) -> None:
        if isinstance(work, EndedLine):
            self._writer.ended(work)
        else:
            self._writer.judged(
                work.n,
                work.shots,
                recipe=work.recipe,
                bundle=work.bundle,
                said=work.said,
                error=work.error,
                timings=work.timings,
            )

    def _lose(self, work: _Seen | EndedLine, why: str) -> None:
        if isinstance(work, EndedLine):
            return  # the ledger has it
        with self._lock:  # both threads lose parts
            self.lost += 1
            first = self.lost == 1
        if first:
            said = f"recording: a part is not recorded: {why}; the line goes on, and the recording has gaps"
            soon(self._loop, self._alarm, said)


@dataclass(frozen=True, slots=True)
class RecordedJudges:
    """A station's models with a recorder around them."""

    judges: Judges
    recorder: Recorder

    def choose(self, recipe: int | None) -> Judge:
        """As the models themselves say."""
        return self.recorder.watching(recipe, self.judges.choose(recipe))
