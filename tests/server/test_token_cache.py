"""The store is asked seldom, and never so seldom that a revoked token lives on for more than a moment."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from server.auth import ANONYMOUS, Issued, MemoryTokens, Role, TokenRecord, TokenStore, authenticate, issue
from server.token_cache import MAX_AGE_S, CachedTokens
from vision.errors import AuthenticationError, StorageError

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Watched:
    """A store in memory that counts how often it is asked, and from which thread.

    Attributes:
        meanwhile: run between the reading of an answer and its return.
    """

    def __init__(self) -> None:
        self.inner = MemoryTokens()
        self.asked = 0
        self.threads: set[int] = set()
        self.meanwhile: Callable[[], object] = lambda: None
        self.broken = False

    def add(self, record: TokenRecord) -> None:
        self.inner.add(record)

    def find(self, wanted: str) -> TokenRecord | None:
        self.asked += 1
        self.threads.add(threading.get_ident())
        found = self.inner.find(wanted)
        self.meanwhile()
        return found

    def revoke(self, wanted: str, at: datetime) -> TokenRecord | None:
        revoked = self.inner.revoke(wanted, at)
        if self.broken:
            raise StorageError("the answer was lost")
        return revoked

    def all(self) -> Sequence[TokenRecord]:
        return self.inner.all()


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def issued_into(store: TokenStore, expires_at: datetime | None = None) -> Issued:
    issued = issue("ada", frozenset({Role.INSPECT}), now=NOW, expires_at=expires_at)
    store.add(issued.record)
    return issued


def test_the_store_is_asked_once_in_a_while(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    token = issued_into(tokens).token
    for _ in range(64):
        assert authenticate(tokens, token, NOW).user == "ada"
        clock.now_s += MAX_AGE_S / 64
    assert watched.asked == 1
    authenticate(tokens, token, NOW)
    assert watched.asked == 2


def test_a_token_revoked_elsewhere_stops_working_within_seconds(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    issued = issued_into(tokens)
    authenticate(tokens, issued.token, NOW)
    watched.revoke(issued.record.id, NOW)
    authenticate(tokens, issued.token, NOW)  # not known here yet
    clock.now_s += MAX_AGE_S
    with pytest.raises(AuthenticationError, match="revoked"):
        authenticate(tokens, issued.token, NOW)


def test_a_token_revoked_here_stops_working_at_once(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    issued = issued_into(tokens)
    authenticate(tokens, issued.token, NOW)
    tokens.revoke(issued.record.id, NOW)
    with pytest.raises(AuthenticationError, match="revoked"):
        authenticate(tokens, issued.token, NOW)


def test_a_revocation_whose_answer_is_lost_is_not_forgotten(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    issued = issued_into(tokens)
    authenticate(tokens, issued.token, NOW)
    watched.broken = True
    with pytest.raises(StorageError):
        tokens.revoke(issued.record.id, NOW)
    with pytest.raises(AuthenticationError, match="revoked"):
        authenticate(tokens, issued.token, NOW)


def test_an_answer_from_before_a_revocation_is_not_remembered_after_it(
    watched: Watched, clock: Clock
) -> None:
    tokens = CachedTokens(watched, clock=clock)
    issued = issued_into(tokens)
    watched.meanwhile = lambda: tokens.revoke(issued.record.id, NOW)
    authenticate(tokens, issued.token, NOW)  # this answer was under way
    with pytest.raises(AuthenticationError, match="revoked"):
        authenticate(tokens, issued.token, NOW)


def test_an_answer_is_as_old_as_its_question(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    token = issued_into(tokens).token

    def slowly() -> None:
        clock.now_s += MAX_AGE_S

    watched.meanwhile = slowly
    authenticate(tokens, token, NOW)
    authenticate(tokens, token, NOW)
    assert watched.asked == 2


def test_expiry_is_not_delayed(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    token = issued_into(tokens, expires_at=NOW + timedelta(seconds=1)).token
    authenticate(tokens, token, NOW)
    with pytest.raises(AuthenticationError, match="expired"):
        authenticate(tokens, token, NOW + timedelta(seconds=1))
    assert watched.asked == 1


def test_a_new_token_works_at_once_though_its_id_was_asked_for_before(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    issued = issue("ada", frozenset({Role.INSPECT}), now=NOW)
    assert tokens.find(issued.record.id) is None
    watched.add(issued.record)  # by another process
    assert authenticate(tokens, issued.token, NOW).user == "ada"


def test_no_more_than_so_many_are_remembered_and_the_least_used_goes(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock, max_tokens=2)
    first, second, third = (issued_into(tokens).record.id for _ in range(3))
    for wanted in (first, second, first, third):  # the second has to go
        tokens.find(wanted)
    assert watched.asked == 3
    for wanted in (first, third):
        tokens.find(wanted)
    assert watched.asked == 3
    tokens.find(second)
    assert watched.asked == 4
    assert len(tokens.all()) == 3


@pytest.mark.asyncio
async def test_the_event_loop_does_not_wait_for_the_store(watched: Watched, clock: Clock) -> None:
    tokens = CachedTokens(watched, clock=clock)
    token = issued_into(tokens).token
    for _ in range(2):
        assert (await tokens.identify(token, NOW)).user == "ada"
    assert watched.asked == 1
    assert threading.get_ident() not in watched.threads


@pytest.mark.asyncio
async def test_what_is_no_token_does_not_reach_the_store(watched: Watched) -> None:
    tokens = CachedTokens(watched)
    assert await tokens.identify(None, NOW, anonymous=ANONYMOUS) is ANONYMOUS
    for credential in (None, "hunter2"):
        with pytest.raises(AuthenticationError):
            await tokens.identify(credential, NOW)
    assert watched.asked == 0
