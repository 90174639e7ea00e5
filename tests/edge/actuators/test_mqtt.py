"""A gate that listens to a real broker: decisions arrive, and what cannot arrive in time does not arrive late."""

import asyncio
import gc
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from edge.actuators.mqtt import MqttActuator
from edge.mqtt import Login
from edge.rig.broker import Broker
from tests.edge.brokers import NEEDS_MOSQUITTO, broker, listening
from tests.vision.client.certificates import authority, issued
from vision.address import Address
from vision.errors import DeviceError
from vision.inspection.policy import Decision

pytestmark = NEEDS_MOSQUITTO
TOPIC: Final = "line/infeed/decision"
ALIVE: Final = "line/infeed/alive"


def gate_at(port: int, *, retain: bool = False, **login: Any) -> MqttActuator:
    return MqttActuator(
        Login(address=Address(host="127.0.0.1", port=port), client="loupe-infeed", **login),
        station="infeed",
        topic=TOPIC,
        heartbeat=ALIVE,
        retain=retain,
    )


async def driven(gate: MqttActuator, *decisions: Decision) -> None:
    await gate.open()
    for decision in decisions:
        await gate.drive(decision)
    await gate.close()


async def reach(gate: MqttActuator, decision: Decision) -> None:
    await gate.open()
    await gate.drive(decision)


async def open_again(gate: MqttActuator) -> None:
    """As the station does: over and over until it is there."""
    async with asyncio.timeout(20):
        while True:
            try:
                await gate.open()
            except DeviceError:
                await asyncio.sleep(0.05)
            else:
                return


def test_each_decision_arrives_once_and_in_order_between_the_safe_states(tmp_path: Path) -> None:
    with broker(tmp_path) as one, listening(one.port) as listener:
        asyncio.run(driven(gate_at(one.port), *Decision, Decision.REJECT))
        listener.until(lambda heard: "ended" in heard.states)
    assert listener.decisions == [None, *Decision, "reject", None]
    numbers = [one.told["number"] for one in listener.heard if one.topic == TOPIC]
    assert numbers == [0, 1, 2, 3, 4, 4]
    assert {one.told["station"] for one in listener.heard} == {"infeed"}


@pytest.mark.parametrize("retain", [False, True])
def test_who_listens_later_hears_the_last_decision_if_it_is_retained(tmp_path: Path, retain: bool) -> None:
    async def work(port: int) -> None:
        gate = gate_at(port, retain=retain)
        await gate.open()
        await gate.drive(Decision.REVIEW)
        await gate.beat()
        with listening(port) as listener:
            await asyncio.to_thread(listener.until, lambda heard: bool(heard.states))
            assert listener.decisions == (["review"] if retain else [])
            assert listener.states == ["running"], "the heartbeat is always retained"
        await gate.close()

    with broker(tmp_path) as one:
        asyncio.run(work(one.port))


def test_a_drive_returns_only_after_the_broker_has_acknowledged(tmp_path: Path) -> None:
    async def work(one: Broker) -> None:
        gate = gate_at(one.port)
        await gate.open()
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await gate.drive(Decision.ACCEPT)
        assert time.monotonic() - started < 0.5
        with pytest.raises(DeviceError, match="the connection is lost"):
            await gate.drive(Decision.ACCEPT)
        one.process.send_signal(signal.SIGCONT)
        await open_again(gate)
        await gate.drive(Decision.REJECT)
        await gate.close()

    with broker(tmp_path) as one, listening(one.port) as listener:
        asyncio.run(work(one))
        listener.until(lambda heard: heard.states[-1:] == ["ended"])
    assert "lost" in listener.states, "the broker told that the station was away"
    assert listener.decisions[-2:] == ["reject", None]


def test_parts_are_errors_while_the_broker_is_gone_and_none_of_them_arrives_later(tmp_path: Path) -> None:
    async def work(one: Broker) -> None:
        gate = gate_at(one.port)
        await gate.open()
        await gate.drive(Decision.ACCEPT)
        one.kill()
        for _ in range(3):
            with pytest.raises(DeviceError, match=rf"MQTT broker 127\.0\.0\.1:{one.port}"):
                await reach(gate, Decision.REVIEW)
            await asyncio.sleep(0.05)
        await asyncio.to_thread(one.start)
        with listening(one.port) as listener:
            await open_again(gate)
            await gate.drive(Decision.REJECT)
            await gate.close()
            await asyncio.to_thread(listener.until, lambda heard: "ended" in heard.states)
        assert listener.decisions == [None, "reject", None]

    with broker(tmp_path) as one:
        asyncio.run(work(one))


@pytest.mark.parametrize("password", ["wrong-word", None])
def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path, password: str | None) -> None:
    path = tmp_path / "password"
    path.write_text(f"{password}\nanother line\n")
    login: dict[str, Any] = {} if password is None else {"user": "infeed", "password_file": path}
    with broker(tmp_path, users={"infeed": "right-word"}) as one:
        with pytest.raises(DeviceError, match=r"refused: Not authorized") as refused:
            asyncio.run(driven(gate_at(one.port, **login)))
        assert "word" not in str(refused.value)
        path.write_text("right-word\n")
        asyncio.run(driven(gate_at(one.port, user="infeed", password_file=path), Decision.ACCEPT))


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        broker(tmp_path) as one,
        pytest.raises(DeviceError, match=r"password_file .*/none: No such file or directory"),
    ):
        asyncio.run(driven(gate_at(one.port, user="infeed", password_file=tmp_path / "none")))


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves closing after a failed handshake to Python
def test_a_broker_is_known_by_its_certificate(tmp_path: Path) -> None:
    own, other = authority("own"), authority("other")
    pair = issued(own, "broker").write(tmp_path, "broker")
    for name, one in (("own", own), ("other", other)):
        (tmp_path / f"{name}.pem").write_bytes(one.certificate_pem)
    with broker(tmp_path, certificate=pair) as secure:
        asyncio.run(
            driven(gate_at(secure.port, tls=True, ca=tmp_path / "own.pem"), Decision.ACCEPT, Decision.REJECT)
        )
        with pytest.raises(DeviceError, match=r"expected an MQTT broker, found .*CERTIFICATE_VERIFY_FAILED"):
            asyncio.run(driven(gate_at(secure.port, tls=True, ca=tmp_path / "other.pem")))
        with pytest.raises(DeviceError, match=r"ca .*/broker\.key"):
            asyncio.run(driven(gate_at(secure.port, tls=True, ca=tmp_path / "broker.key")))
        gc.collect()


def test_where_nobody_listens_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(
            DeviceError,
            match=rf"^MQTT broker 127\.0\.0\.1:{port}: expected an MQTT broker, found Connection refused$",
        ):
            asyncio.run(driven(gate_at(port)))


@contextmanager
def hanging_up() -> Iterator[tuple[int, list[float]]]:
    """A port where every caller is hung up on, and when they called."""
    calls: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ending = threading.Event()

        def answer() -> None:
            while not ending.is_set():
                try:
                    caller, _ = server.accept()
                except TimeoutError:
                    continue
                calls.append(time.monotonic())
                caller.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1], calls
        ending.set()
        thread.join()


def test_a_broker_that_hangs_up_is_called_less_and_less_often() -> None:
    async def work(port: int) -> None:
        gate = gate_at(port)
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            with pytest.raises(DeviceError, match="MQTT broker"):
                await gate.open()
            await asyncio.sleep(0.01)
        await gate.close()

    with hanging_up() as (port, calls):
        asyncio.run(work(port))
        pauses = [later - earlier for earlier, later in itertools.pairwise(calls)]
    assert 3 <= len(calls) <= 5, "after 0.1, 0.2, 0.4, 0.8 s"
    assert pauses == sorted(pauses)


def test_the_connection_leaves_no_thread_and_no_open_socket_behind(tmp_path: Path) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def work(port: int) -> None:
        for _ in range(5):
            await driven(gate_at(port), Decision.ACCEPT)
        await asyncio.sleep(0.3)

    with broker(tmp_path) as one:
        asyncio.run(driven(gate_at(one.port)))
        before = held()
        asyncio.run(work(one.port))
        assert held() == before
