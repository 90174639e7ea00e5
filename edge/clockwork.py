"""An event loop whose timers are exact to microseconds, where the usual one's are to a millisecond, always late: `epoll` counts in those."""

import asyncio
import select
import selectors
from typing import Final

from typing_extensions import override

_NAPPING_S: Final = 1e-3
_NAP_S: Final = 5e-5
_OVERSLEPT_S: Final = 1.5e-4  # a nap may last three times as long as it should
_MOMENT_S: Final = 1e-5  # too short to sleep: the kernel adds more than that


class _Fine(selectors.DefaultSelector):
    """Waits for its own file descriptor with `select`, which counts in microseconds, and then asks what has happened."""

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            if timeout > _MOMENT_S:
                select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def exact_loop() -> asyncio.AbstractEventLoop:
    """For `asyncio.Runner`."""
    return asyncio.SelectorEventLoop(_Fine())


async def awake_at(moment: float) -> None:
    """Wait until a moment of the loop's clock, and be awake then.

    A processor that has slept for long takes a fraction of a millisecond to come back, and its first steps are slow; so the last of the time
    passes in naps and its end without sleep, which costs a hundredth of a core at ten parts a second.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(moment - _NAPPING_S - loop.time())
    while (rest := moment - loop.time()) > 0:
        await asyncio.sleep(_NAP_S if rest > _OVERSLEPT_S else min(rest, _MOMENT_S))
