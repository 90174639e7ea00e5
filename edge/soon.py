"""From any thread onto an event loop that may have ended meanwhile."""

import asyncio
from collections.abc import Callable
from typing import TypeVarTuple, Unpack

_Told = TypeVarTuple("_Told")


def soon(loop: asyncio.AbstractEventLoop, call: Callable[[Unpack[_Told]], object], *told: *_Told) -> bool:
    """Have something called on the loop; false where it is closed, and nobody listens any more."""
    try:
        loop.call_soon_threadsafe(call, *told)
    except RuntimeError:
        return False
    return True
