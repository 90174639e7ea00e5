"""A real broker for a test, and somebody who listens to it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.publish import single

from edge.rig.broker import PACKAGE, Broker, program

NEEDS_MOSQUITTO: Final = pytest.mark.skipif(
    program() is None, reason=f"needs the Debian package {PACKAGE} (make rig)"
)
PATIENCE_S: Final = 20.0


@contextmanager
def broker(
    folder: Path, *, users: Mapping[str, str] | None = None, certificate: tuple[Path, Path] | None = None
) -> Iterator[Broker]:
    one = Broker(folder=folder / "broker", users=users or {}, certificate=certificate)
    one.start()
    try:
        yield one
    finally:
        one.kill()


@dataclass
class Heard:
    """What a listener heard, in order."""

    topic: str
    told: dict[str, Any]
    retained: bool


@dataclass
class Listener:
    """Whoever moves the gate."""

    heard: list[Heard] = field(default_factory=list)
    subscribed: threading.Event = field(default_factory=threading.Event)

    @property
    def decisions(self) -> list[str | None]:
        return [one.told["decision"] for one in self.heard if "decision" in one.told]

    @property
    def states(self) -> list[str]:
        return [one.told["state"] for one in self.heard if "state" in one.told]

    def until(self, told: Callable[["Listener"], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not told(self):
            assert time.monotonic() < end, f"heard only {self.heard}"
            time.sleep(0.01)


@contextmanager
def listening(port: int, topic: str = "#") -> Iterator[Listener]:
    listener = Listener()

    def hear(_client: Client, _user: object, message: MQTTMessage) -> None:
        listener.heard.append(
            Heard(topic=message.topic, told=json.loads(message.payload), retained=message.retain)
        )

    client = Client(CallbackAPIVersion.VERSION2, client_id="listener")
    client.reconnect_delay_set(1, 1)
    client.on_message = hear
    client.on_connect = lambda *_: _subscribe(client, topic)
    client.on_subscribe = lambda *_: listener.subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert listener.subscribed.wait(PATIENCE_S)
        yield listener
    finally:
        client.disconnect()
        client.loop_stop()
        client.on_connect = client.on_message = client.on_subscribe = None


def say(port: int, topic: str, what: object) -> None:
    """Say it to whoever listens now or later; returns once the broker has it."""
    single(topic, str(what), qos=1, retain=True, hostname="127.0.0.1", port=port)


def _subscribe(client: Client, topic: str) -> None:
    client.subscribe(topic, qos=1)
