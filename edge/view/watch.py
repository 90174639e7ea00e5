"""One station as the view sees it: its tally, its devices, and whether it lives. Values and where they come from; no HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from edge.link import Health
from edge.view.board import Board

_SILENT_S: Final = (
    10.0  # a station's loop comes round every half second; a device may hold it up for some seconds
)


class State(StrEnum):
    """Of a station. `SILENT`: its loop did not come round for a while, so that what is known of it is old."""

    STARTING = "starting"
    RUNNING = "running"
    SILENT = "silent"
    ENDED = "ended"


class Watched(Protocol):
    """What is asked of a station, from another thread; `edge.station.Station` answers."""

    name: str
    beaten_s: float | None
    refusals: int

    def health(self) -> Mapping[str, Health]: ...
    def camera_counts(self) -> Mapping[str, Mapping[str, int]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A station under view.

    Attributes:
        due_ms: from the trigger to the gate.
        ended: why the station has ended, empty when it was told to; none while it has not.
    """

    station: Watched
    board: Board
    due_ms: float
    ended: Callable[[], str | None]

    def state(self) -> State:
        """What the station is doing now."""
        if self.ended() is not None:
            return State.ENDED
        beaten_s = self.station.beaten_s
        if beaten_s is None:
            return State.STARTING
        return State.RUNNING if time.monotonic() - beaten_s < _SILENT_S else State.SILENT
