"""A recipe's code from a real broker: the last word of its topic, never that of a broker which may know better meanwhile."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.mqtt import Login
from edge.recipes.mqtt import TopicRecipe, code_in
from tests.edge.brokers import NEEDS_MOSQUITTO, broker, say
from vision.address import Address
from vision.errors import DeviceError

PRODUCT: Final = "line/infeed/product"


def recipe_at(port: int, **login: Any) -> TopicRecipe:
    at = Login(address=Address(host="127.0.0.1", port=port), client="loupe-infeed.recipe", **login)
    return TopicRecipe(at, PRODUCT)


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[TopicRecipe]:
    recipe = recipe_at(port)
    await recipe.open()
    yield recipe
    await recipe.close()


async def told(port: int, code: object) -> None:
    await asyncio.to_thread(say, port, PRODUCT, code)


async def code_again(recipe: TopicRecipe) -> int:
    """As a station reads it, part after part, until there is one."""
    async with asyncio.timeout(20):
        while True:
            try:
                await recipe.open()
                return await recipe.code()
            except DeviceError:
                await asyncio.sleep(0.05)


# --- what a message means


@given(st.binary(max_size=60) | st.integers(0, 99999).map(lambda number: f"{number}".encode()))
@example(b"00007")
@example(b"65535")
@example(b"65536")
@example("٣".encode())  # a digit, to Python
def test_up_to_five_digits_are_a_code_and_all_else_an_error_in_printable_words(said: bytes) -> None:
    if said.isdigit() and len(said) <= 5 and int(said) <= 65535:
        assert code_in(said, "here") == int(said)
        return
    with pytest.raises(
        DeviceError, match=r"^here: expected a recipe's code, 0\.\.65535 in .*, found "
    ) as wrong:
        code_in(said, "here")
    assert str(wrong.value).isprintable()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b"", "an empty message"),
        (b"seven", "5 bytes, 'seven'"),
        (b"-1", "2 bytes, '-1'"),
        (b"7.0", "3 bytes, '7.0'"),
        (b"7\n", r"2 bytes, '7\n'"),
        (b"\x00\x07", r"2 bytes, '\x00\x07'"),
        (b"\xff", r"1 bytes, '\xff'"),
        (b'{"code": 7}', """11 bytes, '{"code": 7}'"""),
        (b"65536", "5 bytes, '65536'"),
        (b"1" * 3000, f"3000 bytes, '{'1' * 40}'…"),
    ],
)
def test_what_is_no_code_is_named(said: bytes, found: str) -> None:
    with pytest.raises(DeviceError) as wrong:
        code_in(said, "here")
    assert str(wrong.value).endswith(f"in decimal digits, found {found}")


# --- with a broker


@NEEDS_MOSQUITTO
def test_the_code_is_what_was_said_before_and_what_is_said_next(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        await told(port, 7)
        async with opened(port) as recipe:
            assert await recipe.code() == 7
            for code in range(100, 130):
                await told(port, code)
                assert await recipe.code() == code, "as soon as the broker has it"

    with broker(tmp_path) as one:
        asyncio.run(work(one.port))


@NEEDS_MOSQUITTO
def test_many_parts_ask_at_once(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        await told(port, 7)
        async with opened(port) as recipe:
            assert set(await asyncio.gather(*[recipe.code() for _ in range(50)])) == {7}

    with broker(tmp_path) as one:
        asyncio.run(work(one.port))


@NEEDS_MOSQUITTO
def test_a_topic_that_nobody_spoke_on_has_no_code_until_somebody_does(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        recipe = recipe_at(port)
        for _ in range(2):
            with pytest.raises(
                DeviceError, match=rf"{port}: {PRODUCT}: expected a retained message .* found none$"
            ):
                await recipe.open()
        await told(port, 7)
        await recipe.open()
        assert await recipe.code() == 7
        await recipe.close()

    with broker(tmp_path) as one:
        asyncio.run(work(one.port))


@NEEDS_MOSQUITTO
def test_after_a_message_that_is_no_code_there_is_none_and_not_the_last_one(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        await told(port, 7)
        async with opened(port) as recipe:
            await told(port, "halfcells")
            with pytest.raises(DeviceError, match=f"{PRODUCT}: expected a recipe's code, .* found 9 bytes"):
                await recipe.code()
            await told(port, "")  # takes the retained message away
            with pytest.raises(DeviceError, match="found an empty message"):
                await recipe.code()
            await told(port, 8)
            assert await recipe.code() == 8

    with broker(tmp_path) as one:
        asyncio.run(work(one.port))


@NEEDS_MOSQUITTO
def test_a_dead_brokers_last_code_is_not_believed_and_its_next_one_is(tmp_path: Path) -> None:
    with broker(tmp_path) as one:

        async def work() -> None:
            await told(one.port, 7)
            async with opened(one.port) as recipe:
                one.kill()
                for _ in range(3):
                    with pytest.raises(DeviceError, match=rf"MQTT broker 127\.0\.0\.1:{one.port}"):
                        await recipe.code()
                await asyncio.to_thread(one.start)  # with a memory that holds nothing
                while not await connected(recipe):
                    await asyncio.sleep(0.05)
                with pytest.raises(DeviceError, match="expected a retained message"):
                    await recipe.code()
                await told(one.port, 8)
                assert await recipe.code() == 8

        asyncio.run(work())


async def connected(recipe: TopicRecipe) -> bool:
    try:
        await recipe.open()
    except DeviceError as error:
        return "retained message" in str(error)
    return True


@NEEDS_MOSQUITTO
def test_a_broker_that_does_not_answer_is_not_believed_though_its_connection_stands(tmp_path: Path) -> None:
    with broker(tmp_path) as one:

        async def work() -> None:
            await told(one.port, 7)
            assert one.process is not None
            async with opened(one.port) as recipe:
                one.process.send_signal(signal.SIGSTOP)
                asked = time.monotonic()
                with pytest.raises(DeviceError, match=r"no answer within 0\.2 s"):
                    await recipe.code()
                assert time.monotonic() - asked < 1.5, "long before the keepalive ends it"
                with pytest.raises(DeviceError, match="the connection is lost"):
                    await recipe.code()
                one.process.send_signal(signal.SIGCONT)
                assert await code_again(recipe) == 7

        asyncio.run(work())


@NEEDS_MOSQUITTO
def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("wrong-word\n")
    with (
        broker(tmp_path, users={"infeed": "right-word"}) as one,
        pytest.raises(DeviceError, match="refused: Not authorized") as refused,
    ):
        asyncio.run(recipe_at(one.port, user="infeed", password_file=path).open())
    assert "word" not in str(refused.value)


@NEEDS_MOSQUITTO
def test_the_connection_leaves_no_thread_and_no_open_socket_behind(tmp_path: Path) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def work(port: int, times: int) -> None:
        for _ in range(times):
            async with opened(port) as recipe:
                await recipe.code()

    with broker(tmp_path) as one:
        say(one.port, PRODUCT, 7)
        asyncio.run(work(one.port, 1))
        before = held()
        asyncio.run(work(one.port, 3))
        until = time.monotonic() + 5
        while held() != before and time.monotonic() < until:
            time.sleep(0.02)
        assert held() == before


@contextmanager
def refusing() -> Iterator[int]:
    """The port of a broker that lets everybody in and nobody listen, as MQTT 3.1.1 writes that (3.2, 3.9)."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(1024)
                caller.sendall(b"\x20\x02\x00\x00")
                asked = caller.recv(1024)
                caller.sendall(b"\x90\x03" + asked[2:4] + b"\x80")
                caller.recv(1024)  # until it is left

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_topic_that_the_box_may_not_hear_is_told() -> None:
    with (
        refusing() as port,
        pytest.raises(DeviceError, match=f"refused: .*, asked to let {PRODUCT} be heard"),
    ):
        asyncio.run(recipe_at(port).open())
