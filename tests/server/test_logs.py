"""Each event is one line on stderr, with its request's id and without a secret, whoever logged it."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from server.auth import Role, issue
from server.logs import about, configure, mask_secrets

SECRET: Final = "aB3-_" * 8 + "xyz"
TOKEN: Final = f"loupe_0123456789abcdef_{SECRET}"
URL: Final = "postgresql://ada:hunter2@db/loupe"


@dataclass(frozen=True)
class Holder:
    """Its repr holds what it holds."""

    held: str


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(what: str) -> None:
    raise RuntimeError(what) from ValueError(what)


def log_in_every_way(what: str) -> None:
    ours, theirs = structlog.get_logger("server.rpc"), logging.getLogger("uvicorn.error")
    ours.info(what)
    ours.info("got %s", what)
    ours.info("called", credential=what, note=f"<{what}>", url=what)
    ours.info("called", metadata=[("x", what), {"y": {"z": (what,)}}], keys={what: 1}, raw=what.encode())
    ours.warning("called", object=Holder(what), several={what})
    with about(request_id=what):
        ours.error("refused")
    theirs.warning("got %s and %r", what, [what])
    theirs.warning("got %(what)s", {"what": what})
    try:
        fail(what)
    except RuntimeError:
        ours.exception("failed")
        theirs.exception("failed")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(("what", "secret"), [(TOKEN, SECRET), (f"Bearer {TOKEN}", SECRET), (URL, "hunter2")])
def test_a_secret_never_appears_in_a_log(as_json: bool, what: str, secret: str, stream: io.StringIO) -> None:
    configure(as_json=as_json, level="debug", stream=stream)
    log_in_every_way(what)
    logged = stream.getvalue()
    assert logged.count("failed") == 2
    assert secret not in logged
    assert "***" in logged
    if as_json:
        assert len(lines(stream)) == 10


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_real_token_never_appears_whatever_stands_around_it(before: str, after: str) -> None:
    stream = io.StringIO()
    configure(as_json=True, stream=stream)
    token = issue("ada", frozenset({Role.INSPECT}), now=datetime(2026, 1, 1, tzinfo=UTC)).token
    structlog.get_logger().info("said", text=before + token + after)
    assert token[-43:] not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_what_stands_under_a_secrets_name_is_masked_whole(stream: io.StringIO) -> None:
    configure(as_json=True, stream=stream)
    structlog.get_logger().info("called", authorization="Basic abc", metadata={"db_password": 7}, user="ada")
    (line,) = lines(stream)
    assert (line["authorization"], line["metadata"], line["user"]) == ("***", {"db_password": "***"}, "ada")


def test_the_mask_is_a_processor_for_other_chains_too() -> None:
    event = {
        "event": "called",
        "authorization": "Basic abc",
        "db_password": 7,
        "token_id": "0123",
        "user": "ada",
    }
    assert mask_secrets(None, "info", event) == event | {"authorization": "***", "db_password": "***"}


def test_a_tokens_id_is_told(stream: io.StringIO) -> None:
    configure(as_json=True, stream=stream)
    structlog.get_logger().info(f"used {TOKEN}")
    assert lines(stream)[0]["event"] == "used loupe_0123456789abcdef_***"


def test_a_line_says_when_who_and_how_bad(stream: io.StringIO) -> None:
    configure(as_json=True, stream=stream)
    structlog.get_logger("server.rpc").warning("refused", code="UNAUTHENTICATED", after_ms=3)
    logging.getLogger("grpc").error("gone")
    ours, theirs = lines(stream)
    stamp = datetime.fromisoformat(ours.pop("timestamp"))
    assert abs(stamp - datetime.now(UTC)) < timedelta(minutes=1)
    assert ours == {
        "event": "refused",
        "level": "warning",
        "logger": "server.rpc",
        "code": "UNAUTHENTICATED",
        "after_ms": 3,
    }
    assert theirs.keys() == {"event", "level", "logger", "timestamp"}
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("gone", "error", "grpc")


def test_an_exception_is_part_of_its_line(stream: io.StringIO) -> None:
    configure(as_json=True, stream=stream)
    try:
        fail("what went wrong")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert "RuntimeError: what went wrong" in line["exception"]


@pytest.mark.parametrize(("level", "seen"), [("debug", 3), ("info", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_logged(level: str, seen: int, stream: io.StringIO) -> None:
    configure(as_json=True, level=level, stream=stream)
    logger = structlog.get_logger()
    logger.debug("a")
    logging.getLogger("grpc").info("b")
    logger.error("c")
    assert len(lines(stream)) == seen


def test_configuring_again_takes_the_place_of_before(stream: io.StringIO) -> None:
    first = io.StringIO()
    configure(as_json=True, stream=first)
    logger = structlog.get_logger()
    logger.info("a")
    configure(as_json=True, stream=stream)
    logger.info("b")
    assert ([line["event"] for line in lines(first)], [line["event"] for line in lines(stream)]) == (
        ["a"],
        ["b"],
    )


@pytest.mark.asyncio
async def test_requests_side_by_side_keep_their_ids(stream: io.StringIO) -> None:
    configure(as_json=True, stream=stream)

    async def answer(request_id: str) -> None:
        with about(request_id=request_id):
            structlog.get_logger().info("begun", number=request_id)
            await asyncio.sleep(0)
            logging.getLogger("grpc").info("met")
            await asyncio.to_thread(structlog.get_logger().info, "decoded", number=request_id)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(answer(str(number)))
    structlog.get_logger().info("idle")
    *inside, outside = lines(stream)
    assert len(inside) == 15
    assert all(line["request_id"] == line.get("number", line["request_id"]) for line in inside)
    assert "request_id" not in outside


def test_people_read_lines_that_a_caller_cannot_break(stream: io.StringIO) -> None:
    configure(as_json=False, stream=stream)
    structlog.get_logger().info("inspected", part="7\n2026-01-01 [info] forged\x1b[31m")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "inspected" in stream.getvalue()


def test_logs_go_to_stderr_and_results_stay_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure(as_json=True)
    structlog.get_logger().info("begun")
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err)["event"] == "begun"


def test_importing_changes_no_logger() -> None:
    script = "import logging, structlog, server.logs; print(structlog.is_configured(), logging.getLogger().handlers)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False []\n"
