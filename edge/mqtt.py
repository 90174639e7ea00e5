"""A broker reached over MQTT 3.1.1. The one file that knows paho-mqtt (extra `mqtt`).

Messages go out with QoS 1. One that the broker has not acknowledged in time is given up together with its connection, since a decision that
arrives after its part has passed would meet another part; paho alone would send it again.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.soon import soon
from vision.address import Address
from vision.errors import DeviceError

_KEEPALIVE_S: Final = 2  # a broker that heard nothing for half as long again publishes the will
_TIMEOUT_S: Final = 1.0  # for a connection, and for an acknowledgement where nobody asks for less
_ANSWER_S: Final = 0.2  # for a sign of life
_RETAINED_S: Final = 0.5  # for a topic's retained message, which no packet says is missing
_BACKOFF_S: Final = (0.1, 5.0)  # between attempts to connect: the first pause, doubling up to the last
_NOBODYS: Final = "loupe/nobody/+"  # nothing here subscribes to it: topics in `line.toml` have no wildcards
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent yet is not sent any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a broker.

    Attributes:
        client: the broker knows one connection by this name; a second one with it ends the first.
        password_file: holds the password in its first line.
        tls: encrypt, and have the broker show a certificate.
        ca: whom that must be signed by, as PEM; who the machine trusts, where it is absent.
    """

    address: Address
    client: str
    user: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told, and where.

    Attributes:
        retain: have the broker show it to who listens later.
        perishes: it must not arrive after nobody waits for its acknowledgement any more.
    """

    topic: str
    payload: str
    retain: bool = False
    perishes: bool = False


class MqttLink:
    """One connection; one that is lost is made anew by `open`, not more often than the backoff allows.

    Args:
        will: published by the broker when the connection ends without a word.
        topic: to listen to.
    """

    def __init__(
        self,
        login: Login,
        *,
        will: Message | None = None,
        topic: str | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.name = f"MQTT broker {login.address}"
        self._login, self._will, self._topic, self._timeout_s = login, will, topic, timeout_s
        self._connection: _Connection | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._failed = ""  # why the last attempt did; not the error itself, which would hold a socket
        self._pause_s, self._not_before_s = _BACKOFF_S[0], 0.0

    async def open(self) -> None:
        """Connect, unless it is connected, and hear the topic's retained message.

        Raises:
            DeviceError: nobody answers there, it refuses, or a file cannot be read; also until the next attempt is due.
        """
        if self._connection is not None and self._connection.lives:
            return
        if self._attempt is None or self._attempt.done():
            if self._failed and asyncio.get_running_loop().time() < self._not_before_s:
                raise DeviceError(self._failed)
            self._attempt = asyncio.create_task(self._connect())
            self._attempt.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        await asyncio.shield(self._attempt)  # who waits no longer leaves it to the next who asks

    async def publish(self, message: Message) -> None:
        """Returns once the broker has acknowledged the message.

        Raises:
            DeviceError: it did not.
        """
        connection = self._living()
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.publish(message)
        except TimeoutError as error:
            connection.drop()
            raise DeviceError(
                f"{self.name}: {message.topic}: not acknowledged within {self._timeout_s} s"
            ) from error
        except asyncio.CancelledError:
            if message.perishes:
                connection.drop()
            raise

    async def said(self) -> bytes | None:
        """The topic's last message before this moment; none where this connection heard none.

        The broker is asked for a sign of life first: one that is out of reach would otherwise be noticed only after seconds.

        Raises:
            DeviceError: it did not give one.
        """
        connection = self._living()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await connection.answer()
        except TimeoutError as error:
            connection.drop()
            raise DeviceError(f"{self.name}: no answer within {_ANSWER_S} s") from error
        return connection.said

    async def close(self) -> None:
        """Take leave; the will is not published."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _living(self) -> "_Connection":
        connection = self._connection
        if connection is None or not connection.lives:
            raise DeviceError(f"{self.name}: the connection is lost")
        return connection

    async def _connect(self) -> None:
        connection = _Connection(self.name)
        try:
            await connection.open(self._login, self._will, self._topic, self._timeout_s)
        except DeviceError as error:
            self._failed = str(error)
            self._not_before_s = asyncio.get_running_loop().time() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _BACKOFF_S[1])
            raise
        self._connection, self._failed, self._pause_s = connection, "", _BACKOFF_S[0]


class _Connection:
    """A client of paho's for as long as its first connection holds; its callbacks come from a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._client: Client | None = None
        self._agreed: asyncio.Future[None] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._unacknowledged: dict[int, asyncio.Future[None]] = {}
        self._spoken = asyncio.Event()
        self.said: bytes | None = None
        self.lives = False

    async def open(self, login: Login, will: Message | None, topic: str | None, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                client = self._client = await asyncio.to_thread(self._dial, login, will, timeout_s)
                client.loop_start()
                await self._agreed
                if topic is not None:
                    await self._subscribe(topic)
        except TimeoutError as error:
            self.drop()
            raise DeviceError(f"{self._name}: no answer within {timeout_s} s") from error
        except OSError as error:
            raise DeviceError(
                f"{self._name}: expected an MQTT broker, found {error.strerror or error}"
            ) from error
        except (asyncio.CancelledError, DeviceError):
            self.drop()
            raise
        self.lives = True
        if topic is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETAINED_S):
                    await self._spoken.wait()

    def _dial(self, login: Login, will: Message | None, timeout_s: float) -> Client:
        """In a thread: names are looked up, and hands shaken."""
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client,
            clean_session=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = timeout_s
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        if login.user is not None:
            client.username_pw_set(login.user, self._password(login.password_file))
        if login.tls:
            client.tls_set_context(self._trusting(login.ca))
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.on_subscribe, client.on_unsubscribe = self._on_subscribe, self._on_unsubscribe
        client.connect(login.address.host or "127.0.0.1", login.address.port, keepalive=_KEEPALIVE_S)
        return client

    def _password(self, path: Path | None) -> str | None:
        if path is None:
            return None
        try:
            return path.read_text().partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise DeviceError(f"{self._name}: password_file {path}: {_why(error)}") from error

    def _trusting(self, ca: Path | None) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise DeviceError(f"{self._name}: ca {ca}: {_why(error)}") from error

    async def publish(self, message: Message) -> None:
        sent = self._there().publish(message.topic, message.payload, qos=1, retain=message.retain)
        await self._acknowledgement(sent.rc, sent.mid)

    async def answer(self) -> None:
        """Returns once the broker has answered; what it sent before has then been heard.

        Leaving a topic that nobody listens to changes nothing, and must be acknowledged: MQTT 3.1.1, MQTT-3.10.4-5.
        """
        await self._acknowledgement(*self._there().unsubscribe(_NOBODYS))

    async def _subscribe(self, topic: str) -> None:
        try:
            await self._acknowledgement(*self._there().subscribe(topic, qos=1))
        except DeviceError as error:
            raise DeviceError(f"{error}, asked to let {topic} be heard") from error

    def _there(self) -> Client:
        if self._client is None:
            raise DeviceError(f"{self._name}: the connection is lost")
        return self._client

    async def _acknowledgement(self, sent: MQTTErrorCode, number: int | None) -> None:
        if sent != MQTTErrorCode.MQTT_ERR_SUCCESS or number is None:
            raise DeviceError(f"{self._name}: the connection is lost")
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        self._unacknowledged[number] = (
            acknowledged  # before the thread's word comes: that waits for this loop
        )
        try:
            await acknowledged
        finally:
            self._unacknowledged.pop(number, None)

    def drop(self) -> None:
        """End the connection without a word, and whatever is on its way with it."""
        client = self._client
        self._over("dropped")
        dropped = None if client is None else client.socket()
        if isinstance(dropped, socket.socket):
            with contextlib.suppress(OSError):  # it has ended by itself
                dropped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                dropped.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        if self._client is None or not self.lives:
            return
        self._client.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                await self._ended.wait()
        self.drop()

    # --- told by paho's thread, heard on the loop

    def _on_connect(
        self, _c: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._tell(self._answered, str(reason) if reason.is_failure else "")

    def _on_disconnect(
        self, _c: Client, _u: Any, _f: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._tell(self._over, str(reason))

    def _on_publish(self, _c: Client, _u: Any, mid: int, _r: ReasonCode, _p: Properties) -> None:
        self._tell(self._acknowledged, mid, "")

    def _on_subscribe(
        self, _c: Client, _u: Any, mid: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        self._tell(self._acknowledged, mid, "".join(str(one) for one in reasons if one.is_failure))

    def _on_unsubscribe(
        self, _c: Client, _u: Any, mid: int, _r: list[ReasonCode], _p: Properties | None
    ) -> None:
        self._tell(self._acknowledged, mid, "")

    def _on_message(self, _c: Client, _u: Any, message: MQTTMessage) -> None:
        self._tell(self._heard, message.payload)

    def _tell(self, hear: Callable[..., None], *what: object) -> None:
        soon(self._loop, hear, *what)

    def _answered(self, refused: str) -> None:
        if self._agreed.done():
            return
        if refused:
            self._agreed.set_exception(DeviceError(f"{self._name}: refused: {refused}"))
        else:
            self._agreed.set_result(None)

    def _over(self, why: str) -> None:
        self.lives, self._client = False, None  # paho's client closes what it holds when nobody holds it
        self._ended.set()
        self._answered(f"ended before it began: {why}")
        for waiting in self._unacknowledged.values():
            if not waiting.done():
                waiting.set_exception(DeviceError(f"{self._name}: the connection is lost: {why}"))

    def _acknowledged(self, mid: int, refused: str) -> None:
        waiting = self._unacknowledged.get(mid)
        if waiting is None or waiting.done():
            return
        if refused:
            waiting.set_exception(DeviceError(f"{self._name}: refused: {refused}"))
        else:
            waiting.set_result(None)

    def _heard(self, said: bytes) -> None:
        self.said = said
        self._spoken.set()


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
