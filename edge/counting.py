"""The trigger's own count of parts against those that the station was told of: what passed unseen."""

from dataclasses import dataclass
from typing import Final

# parts that a counter may be ahead of the ledger; more is a counter that was set anew
_MOST_UNSEEN: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Counts for which nobody was told of a part, in their order, and what a person is told; empty where all is well."""

    unseen: tuple[int, ...] = ()
    alarm: str = ""


@dataclass(slots=True)
class PartCount:
    """The count so far.

    Attributes:
        last: of the last part that was told of; none where the trigger does not count, or has not yet.
        modulo: where it begins anew; none: never.
    """

    last: int | None = None
    modulo: int | None = None

    def next(self, now: int | None) -> Gap:
        """What lies between the last part and one that was counted as `now`."""
        last, modulo = self.last, self.modulo
        self.last = now if now is not None else last
        if last is None or now is None:
            return Gap()
        ahead = now - last if modulo is None else (now - last) % modulo
        if ahead == 1:
            return Gap()
        if not 1 < ahead <= min(_MOST_UNSEEN, (modulo or 2 * _MOST_UNSEEN) // 2):
            return Gap(alarm=f"the counter went from {last} to {now}; it is taken for one that was set anew")
        return Gap(
            unseen=tuple(
                last + step if modulo is None else (last + step) % modulo for step in range(1, ahead)
            ),
            alarm=f"the counter went from {last} to {now}: {ahead - 1} parts passed unseen",
        )
