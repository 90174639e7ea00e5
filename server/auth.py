"""Who asks, and what they may: tokens bound to a user, with roles.

Takes the credential of a request, gives a `Principal`. Only the SHA-256 of a token's secret is ever kept: the secret has 256 random
bits, so that no slow hash is needed. It knows neither where tokens are kept (`TokenStore` is the port) nor how a credential travels.

No role contains another: whoever loads models does not therewith review parts.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from vision.errors import AuthenticationError, PermissionDeniedError, SettingsError

_TOKEN: Final = re.compile(r"loupe_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_NO_DIGEST: Final = "0" * 64  # compared with where there is no token, so that this takes as long
MAX_USER_LENGTH: Final = 128


class Role(StrEnum):
    """What a caller may do."""

    INSPECT = "inspect"
    STATION = "station"
    CATALOG = "catalog"
    DESIGN = "design"
    REVIEW = "review"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks.

    Attributes:
        token_id: absent where nobody in particular asks; such a caller is never taken for a person.
        certified: every name in the client certificate by which the caller is known; none where it is known otherwise.
    """

    user: str
    roles: frozenset[Role]
    token_id: str | None = None
    certified: frozenset[str] = frozenset()

    def require(self, *any_of: Role, what: str) -> None:
        """Refuse who has none of the roles.

        Raises:
            PermissionDeniedError: naming `what` was asked for.
        """
        if self.roles.isdisjoint(any_of):
            raise PermissionDeniedError(" or ".join(any_of), what, found=self._described())

    def require_user(self, *any_of: Role, what: str) -> None:
        """As `require`, and by a user's own token even where others may go without: for reviews and exports.

        Raises:
            PermissionDeniedError: naming `what` was asked for.
        """
        if self.token_id is None:
            raise PermissionDeniedError(" or ".join(any_of), what, found=self._described())
        self.require(*any_of, what=what)

    def require_station(self, station: str, *, what: str) -> None:
        """Refuse who speaks of a station that it is not. Where nobody is known, anybody may be any.

        Raises:
            PermissionDeniedError: naming `what` was asked for.
        """
        names = self.certified or (frozenset() if self.token_id is None else {self.user})
        if names and station not in names:
            raise PermissionDeniedError(
                f"{Role.STATION} of station '{station}'", what, found=f"that of {', '.join(sorted(names))}"
            )

    def _described(self) -> str:
        if self.certified:
            return f"the certificate of {', '.join(sorted(self.certified))}"
        if self.token_id is None:
            return "no token"
        return f"{self.user}'s with {', '.join(sorted(self.roles))}"


def certified(names: Sequence[str]) -> Principal:
    """Who has shown a client certificate with these names, one at least, and no token: a station, or a box of several."""
    return Principal(user=names[0], roles=frozenset({Role.STATION}), certified=frozenset(names))


# On loopback without TLS. What is signed by a person (reviews, exports) and what changes the server takes a token there too.
ANONYMOUS: Final = Principal(
    user="anonymous", roles=frozenset({Role.INSPECT, Role.STATION, Role.CATALOG, Role.DESIGN})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """What is kept of a token; times have a zone.

    Attributes:
        id: 16 hex digits, the part of the token that may be shown.
        sha256: of the secret, in hex.
        expires_at: from then on it is refused; absent: never.
    """

    id: str
    user: str
    roles: frozenset[Role]
    sha256: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token. `token` is shown once to its user and kept nowhere."""

    token: str = field(repr=False)
    record: TokenRecord


class TokenStore(Protocol):
    """Where tokens are kept. Implementations raise StorageError where they cannot be read or written."""

    def add(self, record: TokenRecord) -> None: ...

    def find(self, wanted: str) -> TokenRecord | None: ...

    def revoke(self, wanted: str, at: datetime) -> TokenRecord | None:
        """The token as revoked; one that was revoked before keeps its time. None where there is no such token."""

    def all(self) -> Sequence[TokenRecord]:
        """Every token, also expired and revoked ones, the oldest first."""


class MemoryTokens:
    """Tokens of this process alone."""

    def __init__(self) -> None:
        self._records: dict[str, TokenRecord] = {}

    def add(self, record: TokenRecord) -> None:
        self._records[record.id] = record

    def find(self, wanted: str) -> TokenRecord | None:
        return self._records.get(wanted)

    def revoke(self, wanted: str, at: datetime) -> TokenRecord | None:
        record = self._records.get(wanted)
        if record is not None and record.revoked_at is None:
            record = self._records[wanted] = replace(record, revoked_at=at)
        return record

    def all(self) -> Sequence[TokenRecord]:
        return sorted(self._records.values(), key=lambda record: (record.created_at, record.id))


def issue(user: str, roles: frozenset[Role], *, now: datetime, expires_at: datetime | None = None) -> Issued:
    """Make a token; the caller keeps its record and shows its text once.

    Raises:
        SettingsError: no usable user name, no role, or an expiry that has passed.
    """
    if not user.isprintable() or user != user.strip() or not 1 <= len(user) <= MAX_USER_LENGTH:
        raise SettingsError(
            f"user: expected 1 to {MAX_USER_LENGTH} printable characters without blanks at the ends, found {user!r}"
        )
    if user == ANONYMOUS.user:
        raise SettingsError(f"user: '{user}' stands for callers without a token, expected another name")
    if not roles:
        raise SettingsError(f"roles: expected one or more of {', '.join(Role)}, found none")
    if expires_at is not None and expires_at <= now:
        raise SettingsError(
            f"expires: expected a time after {now.isoformat(timespec='seconds')}, found {expires_at.isoformat()}"
        )
    chosen, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    record = TokenRecord(
        id=chosen, user=user, roles=roles, sha256=_digest(secret), created_at=now, expires_at=expires_at
    )
    return Issued(token=f"loupe_{chosen}_{secret}", record=record)


def bearer(header: str | None) -> str | None:
    """The token in the value of an `authorization` header or metadata entry; None where there is none.

    Raises:
        AuthenticationError: it is not of the form `Bearer TOKEN`.
    """
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationError("authorization: expected 'Bearer TOKEN', found another form")
    return token.strip()


def token_id(credential: str) -> str | None:
    """The id in a token; None where it has not the form of one."""
    parts = _TOKEN.fullmatch(credential)
    return parts["id"] if parts else None


def authenticate(
    store: TokenStore, credential: str | None, now: datetime, *, anonymous: Principal | None = None
) -> Principal:
    """Who holds a token that is in force.

    Args:
        credential: the token. One that does not hold is refused also where `anonymous` would have been let in.
        anonymous: who asks without a token; absent where a token is required.

    Raises:
        AuthenticationError: there is none, or it is unknown, expired or revoked. An unknown id and a wrong secret look the same.
    """
    if credential is None:
        if anonymous is None:
            raise AuthenticationError("authorization: expected a token, found none")
        return anonymous
    parts = _TOKEN.fullmatch(credential)
    if parts is None:
        raise AuthenticationError("authorization: expected a token loupe_ID_SECRET, found something else")
    record = store.find(parts["id"])
    fits = hmac.compare_digest(_digest(parts["secret"]), record.sha256 if record else _NO_DIGEST)
    if record is None or not fits:
        raise AuthenticationError("authorization: the token is not known here")
    if record.revoked_at is not None:
        raise AuthenticationError(
            f"authorization: token {record.id} was revoked on {record.revoked_at:%Y-%m-%d}"
        )
    if record.expires_at is not None and now >= record.expires_at:
        raise AuthenticationError(f"authorization: token {record.id} expired on {record.expires_at:%Y-%m-%d}")
    return Principal(user=record.user, roles=record.roles, token_id=record.id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
