"""A question that is asked twice is answered once.

Takes a question with its caller's id and a way to answer it, gives the answer that holds. Where answers are kept, and what they say, it
does not know: `earlier` looks them up.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from vision.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request as idempotency sees it. `request_id` may be empty: then nothing is promised."""

    principal: str
    method: str
    request_id: str
    payload_sha256: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What its answer is found by."""
        return self.principal, self.method, self.request_id

    def same(self, payload_sha256: str) -> None:
        """See that this is what the id was used for before.

        Raises:
            InputError: it was another payload.
        """
        if self.payload_sha256 != payload_sha256:
            raise InputError(
                f"request_id '{self.request_id}': expected the content it was first used with, found another"
            )


class Given(Protocol):
    """What was answered before; without `answer` where it was not kept."""

    @property
    def payload_sha256(self) -> str: ...

    @property
    def answer(self) -> bytes | None: ...


class Once:
    """Of one kind of questions."""

    def __init__(self, earlier: Callable[[Question], Awaitable[Given | None]]) -> None:
        self._earlier = earlier
        self._answering: dict[tuple[str, str, str], tuple[str, asyncio.Future[bytes | None]]] = {}

    async def answered(
        self, question: Question, answer: Callable[[], Awaitable[bytes]]
    ) -> tuple[bytes, bool]:
        """The answer to a question, and whether it had been given before; those who ask at the same time wait for one.

        Raises:
            InputError: the id was used for another payload.
        """
        if not question.request_id:
            return await answer(), False
        key = question.key
        while (running := self._answering.get(key)) is not None:
            question.same(running[0])
            shared = await asyncio.shield(running[1])
            if shared is not None:
                return shared, True
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._answering[key] = (question.payload_sha256, future)
        given: bytes | None = None
        try:
            earlier = await self._earlier(question)
            if earlier is not None:
                question.same(earlier.payload_sha256)
            known = earlier.answer if earlier is not None else None
            given = await answer() if known is None else known
            return given, known is not None
        finally:
            del self._answering[key]
            # without an answer, since this caller left or its deadline was too near, those who wait ask for themselves
            future.set_result(given)


def payload_digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
