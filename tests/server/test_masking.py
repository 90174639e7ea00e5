"""What is secret is shown as three stars, and what is not is shown as it is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth import Role, issue
from server.masking import MASK, is_secret_name, mask_line, mask_text, mask_url, mask_value


@given(st.text(), st.text())
def test_a_token_never_shows_whatever_stands_around_it(before: str, after: str) -> None:
    token = issue("ada", frozenset({Role.INSPECT}), now=datetime(2026, 1, 1, tzinfo=UTC)).token
    shown = mask_text(before + token + after)
    assert token not in shown
    assert token[-43:] not in shown


def test_a_tokens_id_shows_and_its_end_does_not_however_short_it_is() -> None:
    assert mask_text("used loupe_0123456789abcdef_x, twice") == f"used loupe_0123456789abcdef_{MASK}, twice"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ada:pw@db/loupe", "postgresql://ada:***@db/loupe"),
        ("postgresql+psycopg://ada:p/w@x@db/loupe", "postgresql+psycopg://ada:***@db/loupe"),
        ("could not reach postgresql://:it's@db now", "could not reach postgresql://:***@db now"),
        ("s3://key:secret@bucket/images", "s3://key:***@bucket/images"),
        ("postgresql://db/loupe?user=ada&password=pw&x=1", "postgresql://db/loupe?user=ada&password=***&x=1"),
        ("postgresql://db/loupe?sslpassword=pw", "postgresql://db/loupe?sslpassword=***"),
        ("postgresql://ada@db:5432/loupe", "postgresql://ada@db:5432/loupe"),
        ("sqlite:///loupe-data/results.db", "sqlite:///loupe-data/results.db"),
        ("http://127.0.0.1:8080/metrics", "http://127.0.0.1:8080/metrics"),
        ("loupe_call_seconds_bucket", "loupe_call_seconds_bucket"),
        ("mail ada@example.org at 12:30", "mail ada@example.org at 12:30"),
    ],
)
def test_passwords_in_urls_are_masked_and_other_text_is_not(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_a_url_with_blanks_and_quotes_in_its_password_is_masked_whole() -> None:
    assert mask_url('postgresql://ada:my "p w"@db/loupe') == "postgresql://ada:***@db/loupe"


def test_in_a_line_the_mask_ends_with_the_quotes() -> None:
    line = '{"url":"http://[::1]:80","by":"ada@example.org","other":"s3://key:secret@bucket"}'
    assert mask_line(line) == line.replace("secret", MASK)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", True),
        ("tokens", True),
        ("Authorization", True),
        ("database_password", True),
        ("client-secret", True),
        ("api_key", True),
        ("token_id", False),
        ("key", False),
        ("user", False),
        ("secretary", False),
    ],
)
def test_names_tell_what_is_secret_as_a_whole(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_secrets_are_found_at_any_depth() -> None:
    value = {
        "metadata": [("authorization", "Bearer loupe_0123456789abcdef_abc"), {"password": 1234}],
        "raw": b"loupe_0123456789abcdef_abc \xff",
        "user": "ada",
        "token": None,
        "count": 3,
    }
    assert mask_value(value) == {
        "metadata": [["authorization", "Bearer loupe_0123456789abcdef_***"], {"password": MASK}],
        "raw": "loupe_0123456789abcdef_*** \\xff",
        "user": "ada",
        "token": None,
        "count": 3,
    }
