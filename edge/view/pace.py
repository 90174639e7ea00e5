"""Questions one after the other: however many browsers ask however often, the view takes a small share of the box's time.

Stations share the interpreter with the view; what it does without pause, they would wait for.
"""

import asyncio
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_EVERY_S: Final = 0.02  # some ten browsers, each with a question and a picture a second, and Prometheus
_PATIENCE_S: Final = 1.0


class Pace:
    """Lets a question in every `_EVERY_S`; who would wait longer than `_PATIENCE_S` is told to come again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._next_s = app, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_s)
        if turn - now > _PATIENCE_S:
            busy = PlainTextResponse("too many questions", status_code=503, headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._next_s = turn + _EVERY_S
        await asyncio.sleep(turn - now)
        await self._app(scope, receive, send)
