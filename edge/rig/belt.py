"""A conveyor belt with an encoder, simulated: it runs at a speed that may be changed at any time, and stands where it was stopped."""

from collections.abc import Callable


class Belt:
    """Where the belt is, in counts of its encoder.

    Args:
        speed: counts a second; negative runs backwards, 0 stands.
        at: the count to begin with.
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float], *, speed: float = 1000.0, at: float = 0.0) -> None:
        self._clock, self._speed = clock, speed
        self._from = (clock(), at)

    def run(self, speed: float) -> None:
        """From now on at another speed."""
        self._from = (self._clock(), self.at())
        self._speed = speed

    def at(self) -> float:
        """The count now; it does not wrap around, its encoder's register does."""
        since, before = self._from
        return before + self._speed * (self._clock() - since)
