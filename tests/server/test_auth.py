"""A token stands for a user and roles as long as it is in force, and says nothing about itself to anybody else."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth import (
    ANONYMOUS,
    MemoryTokens,
    Principal,
    Role,
    authenticate,
    bearer,
    certified,
    issue,
    token_id,
)
from vision.errors import AuthenticationError, PermissionDeniedError, SettingsError

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
REVIEW: Final = frozenset({Role.REVIEW, Role.INSPECT})
ADA_ID: Final = "0123456789abcdef"
ABSENT: Final = "loupe_0000000000000000_" + 43 * "A"


def issued_into(store: MemoryTokens, *, expires_at: datetime | None = None) -> str:
    issued = issue("ada", REVIEW, now=NOW, expires_at=expires_at)
    store.add(issued.record)
    return issued.token


def test_a_token_stands_for_its_user_and_roles() -> None:
    store = MemoryTokens()
    token = issued_into(store)
    principal = authenticate(store, token, NOW)
    assert principal == Principal(user="ada", roles=REVIEW, token_id=token.split("_")[1])
    assert token_id(token) == principal.token_id


def test_only_a_digest_of_the_secret_is_kept() -> None:
    issued = issue("ada", REVIEW, now=NOW)
    secret = issued.token[len("loupe_0123456789abcdef_") :]
    assert len(secret) == 43  # 32 bytes
    assert issued.record.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(issued) + repr(issued.record)
    assert issued.record.sha256 not in repr(issued.record)


def test_no_two_tokens_are_alike() -> None:
    assert len({issue("ada", REVIEW, now=NOW).token for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.upper(),
        lambda token: token.replace("loupe_", ""),
        lambda token: ABSENT,
        lambda token: "",
        lambda token: "loupe__",
        lambda token: "Bearer " + token,
    ],
    ids=["other secret", "short", "long", "newline", "blank", "case", "no prefix", "absent", "empty", "hollow", "header"],
)  # fmt: skip
@pytest.mark.parametrize("anonymous", [None, ANONYMOUS])
def test_a_token_that_is_not_quite_right_is_refused_without_a_word_of_it(
    change: object, anonymous: Principal | None
) -> None:
    assert callable(change)
    store = MemoryTokens()
    token = issued_into(store)
    wrong = change(token)
    with pytest.raises(AuthenticationError) as raised:
        authenticate(store, wrong, NOW, anonymous=anonymous)
    assert token[-43:-1] not in str(raised.value)
    assert "A" * 43 not in str(raised.value)


def test_an_unknown_id_and_a_wrong_secret_look_the_same() -> None:
    store = MemoryTokens()
    said = set()
    for wrong in (ABSENT, issued_into(store)[:-43] + 43 * "A"):
        with pytest.raises(AuthenticationError) as raised:
            authenticate(store, wrong, NOW)
        said.add(str(raised.value))
    assert len(said) == 1


@given(st.text(max_size=100))
def test_no_text_is_a_token_by_chance_or_breaks_the_check(text: str) -> None:
    store = MemoryTokens()
    issued_into(store)
    with pytest.raises(AuthenticationError):
        authenticate(store, text, NOW)


def test_a_token_ends_at_its_expiry_and_says_when_it_was() -> None:
    store = MemoryTokens()
    token = issued_into(store, expires_at=NOW + timedelta(days=1))
    assert authenticate(store, token, NOW + timedelta(hours=23)).user == "ada"
    with pytest.raises(AuthenticationError, match=r"token [0-9a-f]{16} expired on 2026-03-02$"):
        authenticate(store, token, NOW + timedelta(days=1))


def test_a_revoked_token_is_refused_and_says_since_when() -> None:
    store = MemoryTokens()
    token = issued_into(store)
    wanted = token_id(token)
    assert wanted is not None
    store.revoke(wanted, NOW)
    with pytest.raises(AuthenticationError, match=r"token [0-9a-f]{16} was revoked on 2026-03-01$"):
        authenticate(store, token, NOW)


def test_whether_a_token_is_revoked_is_told_only_to_who_has_its_secret() -> None:
    store = MemoryTokens()
    token = issued_into(store, expires_at=NOW + timedelta(days=1))
    with pytest.raises(AuthenticationError, match="is not known here"):
        authenticate(store, token[:-43] + 43 * "A", NOW + timedelta(days=2))


def test_a_revocation_keeps_its_first_time_and_an_unknown_token_has_none() -> None:
    store = MemoryTokens()
    wanted = token_id(issued_into(store)) or ""
    first = store.revoke(wanted, NOW)
    assert first is not None
    assert store.revoke(wanted, NOW + timedelta(days=1)) == first == store.find(wanted)
    assert store.revoke("absent", NOW) is None


def test_all_tokens_are_told_the_oldest_first() -> None:
    store = MemoryTokens()
    records = [issue("ada", REVIEW, now=NOW - timedelta(days=n)).record for n in range(3)]
    for record in records:
        store.add(record)
    assert store.all() == records[::-1]


def test_without_a_token_nobody_asks_or_anonymous_where_that_is_let_in() -> None:
    with pytest.raises(AuthenticationError, match="expected a token, found none"):
        authenticate(MemoryTokens(), None, NOW)
    assert authenticate(MemoryTokens(), None, NOW, anonymous=ANONYMOUS) is ANONYMOUS


@pytest.mark.parametrize("role", [Role.REVIEW, Role.ADMIN])
def test_anonymous_may_neither_review_nor_administer(role: Role) -> None:
    with pytest.raises(
        PermissionDeniedError, match=f"LoadModel: expected a token with the role {role}, found no token"
    ):
        ANONYMOUS.require(role, what="LoadModel")


def test_anonymous_is_no_person_whatever_its_roles() -> None:
    ANONYMOUS.require(Role.DESIGN, what="CreateJob")
    with pytest.raises(
        PermissionDeniedError, match="Export: expected a token with the role design, found no token"
    ):
        ANONYMOUS.require_user(Role.DESIGN, what="Export")


def test_one_of_several_roles_is_enough_and_another_is_not() -> None:
    ada = Principal(user="ada", roles=REVIEW, token_id=ADA_ID)
    ada.require(Role.STATION, Role.INSPECT, what="Inspect")
    ada.require_user(Role.REVIEW, what="SubmitDisposition")
    with pytest.raises(PermissionDeniedError) as raised:
        ada.require(Role.STATION, Role.ADMIN, what="FetchBundle")
    assert str(raised.value) == (
        "FetchBundle: expected a token with the role station or admin, found ada's with inspect, review"
    )
    assert raised.value.required == "station or admin"


def test_no_role_contains_another() -> None:
    for role in Role:
        holder = Principal(user="ada", roles=frozenset({role}), token_id=ADA_ID)
        for other in set(Role) - {role}:
            with pytest.raises(PermissionDeniedError):
                holder.require(other, what="something")


@pytest.mark.parametrize("user", ["", " ada", "ada ", "a\nda", "a\x1b[31m", 129 * "a", "anonymous"])
def test_a_user_needs_a_name_that_can_be_shown(user: str) -> None:
    with pytest.raises(SettingsError, match=r"^user: "):
        issue(user, REVIEW, now=NOW)


def test_a_token_needs_a_role_and_a_time_to_live() -> None:
    with pytest.raises(SettingsError, match="roles: expected one or more of inspect, station"):
        issue("ada", frozenset(), now=NOW)
    with pytest.raises(SettingsError, match=r"expires: expected a time after 2026-03-01T12:00:00\+00:00"):
        issue("ada", REVIEW, now=NOW, expires_at=NOW)


def test_users_have_names_in_every_script() -> None:
    assert issue("Zoë 张伟", REVIEW, now=NOW).record.user == "Zoë 张伟"


@pytest.mark.parametrize(
    ("header", "token"),
    [(None, None), ("Bearer abc", "abc"), ("bearer abc", "abc"), (" BEARER  abc ", "abc")],
)
def test_a_token_is_read_from_its_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YWRhOmh1bnRlcjI=", "hunter2"])
def test_another_header_is_refused_and_never_taken_for_none(header: str) -> None:
    with pytest.raises(
        AuthenticationError, match=r"^authorization: expected 'Bearer TOKEN', found another form$"
    ):
        bearer(header)


def test_a_record_of_another_token_does_not_let_it_in() -> None:
    store = MemoryTokens()
    token = issued_into(store)
    record = store.find(token_id(token) or "")
    assert record is not None
    store.add(replace(record, sha256="0" * 64))  # what an unknown id is compared with
    with pytest.raises(AuthenticationError, match="is not known here"):
        authenticate(store, token, NOW)


# --- stations


def test_a_station_speaks_for_itself_alone() -> None:
    station = Principal(user="infeed", roles=frozenset({Role.STATION}), token_id="0" * 16)
    station.require_station("infeed", what="Register")
    with pytest.raises(PermissionDeniedError, match="station of station 'outfeed', found that of infeed"):
        station.require_station("outfeed", what="Register")


def test_a_certificate_speaks_for_every_name_in_it() -> None:
    box = certified(("box-7", "infeed", "outfeed"))
    assert (box.user, box.roles, box.token_id) == ("box-7", frozenset({Role.STATION}), None)
    box.require(Role.STATION, what="Register")
    for name in ("box-7", "infeed", "outfeed"):
        box.require_station(name, what="Register")
    with pytest.raises(PermissionDeniedError, match="'other', found that of box-7, infeed, outfeed"):
        box.require_station("other", what="Register")
    with pytest.raises(PermissionDeniedError, match="found the certificate of box-7, infeed, outfeed"):
        box.require_user(Role.REVIEW, what="ListReviews")


def test_where_nobody_is_known_anybody_may_be_any_station() -> None:
    ANONYMOUS.require_station("infeed", what="Register")
