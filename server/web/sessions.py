"""Who is logged in to the page: a token shown once, and from then on a cookie that means nothing elsewhere.

Sessions live in this process alone: after a restart people show their tokens again. The token itself is asked for anew at every request, so that
one that is revoked opens nothing any more.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

COOKIE: Final = "loupe_session"
LASTS_S: Final = 12 * 3600.0
_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login.

    Attributes:
        credential: the token that was shown.
        form_key: what every form of this session carries, and no other page knows.
    """

    id: str = field(repr=False)
    credential: str = field(repr=False)
    form_key: str = field(repr=False)
    ends: float

    def fits(self, form_key: str) -> bool:
        return hmac.compare_digest(self.form_key.encode(), form_key.encode())


class Sessions:
    """The logins of this process; the oldest makes room.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._open = clock, OrderedDict[str, Session]()

    def open(self, credential: str) -> Session:
        session = Session(
            id=secrets.token_urlsafe(32),
            credential=credential,
            form_key=secrets.token_urlsafe(32),
            ends=self._clock() + LASTS_S,
        )
        self._open[session.id] = session
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        return session

    def find(self, cookie: str) -> Session | None:
        session = self._open.get(cookie)
        if session is not None and self._clock() >= session.ends:
            self.close(cookie)
            return None
        return session

    def close(self, cookie: str) -> None:
        self._open.pop(cookie, None)
