"""Those who hear what became of each part: they start before the first, stop after the last, and never hold one up."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from edge.parts import Finished


class Listener(Protocol):
    """Used on a station's event loop alone. What it cannot do it says as an alarm; it raises nothing."""

    async def start(self) -> None:
        """Before the first part."""
        ...

    def hear(self, finished: Finished) -> None:
        """A part's output has moved. Waits for nothing."""
        ...

    async def stop(self) -> None:
        """After the last part. May take its time over what it still holds."""
        ...


@asynccontextmanager
async def attended(listeners: Sequence[Listener]) -> AsyncGenerator[None, None]:
    """Listeners at work for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        for one in listeners:
            await one.start()
            stack.push_async_callback(one.stop)
        yield


def telling(listeners: Sequence[Listener], *, alarm: Callable[[str], None]) -> Callable[[Finished], None]:
    """What a station calls for each part, to tell them all."""

    def tell(finished: Finished) -> None:
        for one in listeners:
            try:
                one.hear(finished)
            except Exception as error:  # noqa: BLE001  (whatever becomes of a listener, the part gets its outcome)
                alarm(f"{type(one).__name__}: {type(error).__name__}: {error}")

    return tell
