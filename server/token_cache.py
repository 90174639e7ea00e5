"""Tokens remembered for a few seconds, so that not every request asks the database.

Stands before a `TokenStore` and is one. A token that is revoked elsewhere (another replica, the command line) stops working within
`MAX_AGE_S`; one that is revoked here, at once. Expiry is not delayed: it is judged at every request. Unknown ids are not remembered, so
that a new token works at once. Safe to share between threads.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from server.auth import Principal, TokenRecord, TokenStore, authenticate, token_id

MAX_AGE_S: Final = 5.0
_MAX_TOKENS: Final = 4096


class CachedTokens:
    """A store's tokens, each for at most `MAX_AGE_S`.

    Args:
        clock: monotonic seconds.
        max_tokens: how many are remembered; the one unused for longest makes room.
    """

    def __init__(
        self, store: TokenStore, *, clock: Callable[[], float] = time.monotonic, max_tokens: int = _MAX_TOKENS
    ) -> None:
        self._store, self._clock, self._max_tokens = store, clock, max_tokens
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, TokenRecord]] = OrderedDict()
        self._revocations = 0

    async def identify(
        self, credential: str | None, now: datetime, *, anonymous: Principal | None = None
    ) -> Principal:
        """As `server.auth.authenticate`, off the event loop where the store has to be asked.

        Raises:
            AuthenticationError: as there.
        """
        wanted = None if credential is None else token_id(credential)
        if wanted is None or self._remembers(wanted):
            return authenticate(self, credential, now, anonymous=anonymous)
        return await asyncio.to_thread(authenticate, self, credential, now, anonymous=anonymous)

    def add(self, record: TokenRecord) -> None:
        self._store.add(record)

    def find(self, wanted: str) -> TokenRecord | None:
        with self._lock:
            kept = self._fresh(wanted)
            if kept is not None:
                self._kept.move_to_end(wanted)
                return kept
            revocations = self._revocations
        asked_at = self._clock()  # before asking: the answer may be as old as the question
        record = self._store.find(wanted)
        with self._lock:
            # an answer that was under way while a token was revoked here may be from before
            if record is not None and revocations == self._revocations:
                self._kept[wanted] = (asked_at, record)
                self._kept.move_to_end(wanted)
                while len(self._kept) > self._max_tokens:
                    self._kept.popitem(last=False)
        return record

    def revoke(self, wanted: str, at: datetime) -> TokenRecord | None:
        try:
            return self._store.revoke(wanted, at)
        finally:
            with self._lock:
                self._revocations += 1
                self._kept.pop(wanted, None)

    def all(self) -> Sequence[TokenRecord]:
        return self._store.all()

    def _remembers(self, wanted: str) -> bool:
        with self._lock:
            return self._fresh(wanted) is not None

    def _fresh(self, wanted: str) -> TokenRecord | None:
        kept = self._kept.get(wanted)
        if kept is None or self._clock() - kept[0] >= MAX_AGE_S:
            return None
        return kept[1]
