"""A gate that listens to a broker: a message a decision, and a heartbeat topic by which whoever listens knows that somebody is there.

On the topic of decisions, `decision` is null when the gate is to be at rest in its safe state: when the station opens and when it closes. On the
heartbeat's topic `state` is "running" with each beat, "ended" after an orderly end, and "lost" as the broker tells it when the station is gone.
"""

import contextlib
import json
from datetime import UTC, datetime

from edge.mqtt import Login, Message, MqttLink
from vision.errors import DeviceError
from vision.inspection.policy import Decision


class MqttActuator:
    """Publishes `{"station", "number", "decision", "at"}` on `topic`, and `{"station", "state", "beat", "at"}` on `heartbeat`.

    Args:
        station: its name in messages.
        retain: have the broker show the last decision to who listens later.
    """

    def __init__(self, login: Login, *, station: str, topic: str, heartbeat: str, retain: bool) -> None:
        self._station, self._topic, self._heartbeat, self._retain = station, topic, heartbeat, retain
        self._number = self._beats = 0
        self._link = MqttLink(login, will=self._life("lost"))

    async def open(self) -> None:
        """Connect, and put the gate to rest.

        Raises:
            DeviceError: the broker cannot be reached, refuses, or does not acknowledge.
        """
        await self._link.open()
        await self._link.publish(self._decided(None))

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the broker did not acknowledge it."""
        self._number += 1
        await self._link.publish(self._decided(decision))

    async def beat(self, *, taking: bool = True) -> None:
        """Raises DeviceError when the broker did not acknowledge it."""
        self._beats += taking
        await self._link.publish(self._life("running" if taking else "waiting"))

    async def close(self) -> None:
        with contextlib.suppress(DeviceError):
            await self._link.publish(self._decided(None))
            await self._link.publish(self._life("ended"))
        await self._link.close()

    def _decided(self, decision: Decision | None) -> Message:
        told = {"station": self._station, "number": self._number, "decision": decision, "at": _now()}
        return Message(topic=self._topic, payload=json.dumps(told), retain=self._retain, perishes=True)

    def _life(self, state: str) -> Message:
        told: dict[str, object] = {"station": self._station, "state": state}
        if state != "lost":  # the will is written when the connection is made
            told |= {"beat": self._beats, "at": _now()}
        return Message(topic=self._heartbeat, payload=json.dumps(told), retain=True)


def _now() -> str:
    return datetime.now(UTC).isoformat()
