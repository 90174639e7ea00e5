"""What the rig is made of: one function a part, each giving the child to start, or saying what it lacks.

To add one, write such a function and name it in `PARTS`. Ports follow each other from `Place.first_port` on.
"""

import json
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from edge.rig import broker, gige, plc, rtsp
from edge.rig.children import Child
from vision.errors import DeviceError, MissingExtraError

FIRST_PORT: Final = 5020
BUNDLE: Final = "plates-1.0.loupe"
PICTURES: Final = "parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rig is.

    Attributes:
        folder: absolute; everything that is made lies there.
        period_s: between two parts on the conveyor.
    """

    folder: Path
    first_port: int = FIRST_PORT
    period_s: float = 0.5

    def port(self, number: int) -> tuple[int, str]:
        """A port, and its address."""
        port = self.first_port + number
        return port, f"127.0.0.1:{port}"


def conveyor(place: Place) -> Child:
    port, address = place.port(0)
    return Child(
        name="PLC",
        command=[
            sys.executable,
            "-m",
            "edge.rig.plc",
            "--port",
            str(port),
            "--period-s",
            str(place.period_s),
        ],
        address=address,
        hint=f"Modbus TCP: a part every {place.period_s} s on input {plc.SENSOR}; registers: counter {plc.COUNTER}, encoder {plc.ENCODER}, "
        f"heartbeat {plc.HEARTBEAT}, gate {plc.GATE}; coils {plc.COILS}",
        port=port,
    )


def mqtt(place: Place) -> Child:
    port, address = place.port(1)
    command = broker.Broker(folder=place.folder / "broker", port=port).command()
    return Child(name="broker", command=command, address=address, hint="MQTT, for everybody", port=port)


def server(place: Place) -> Child:
    """Raises MissingExtraError where the server is not installed."""
    if find_spec("uvicorn") is None:
        raise MissingExtraError("server", "uvicorn")
    (port, address), (_, http) = place.port(2), place.port(3)
    folder = place.folder / "server"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    shutil.copy(place.folder / BUNDLE, folder / "models")
    told = {"models": "models", "listen": address, "http": http}
    (folder / "loupe.toml").write_text("".join(f"{name} = {json.dumps(one)}\n" for name, one in told.items()))
    loupe = Path(sys.executable).with_name("loupe")
    return Child(
        name="server",
        command=[str(loupe), "serve", "--config", "loupe.toml"],
        address=address,
        hint=f"gRPC; http://{http}/healthz",
        port=port,
        folder=folder,
    )


def gige_camera(_: Place) -> Child:
    """Raises DeviceError where it is not installed, or another one is running."""
    found = shutil.which(gige.PROGRAM)
    if found is None:
        raise DeviceError(f"expected the program of the Debian package {gige.PACKAGE}, found none")
    with socket.socket(type=socket.SOCK_DGRAM) as trial:
        try:
            trial.bind(("127.0.0.1", gige.PORT))
        except OSError as error:
            raise DeviceError(
                f"UDP port {gige.PORT}, which GigE Vision prescribes, is taken by another process"
            ) from error
    return Child(
        name="camera",
        command=[found, "-i", "127.0.0.1", "-s", "RIG01"],
        address="127.0.0.1",
        hint="GigE Vision, serial number RIG01, software trigger",
    )


def network_camera(place: Place) -> Child:
    """Raises DeviceError where its libraries are not installed."""
    try:
        rtsp.libraries()
    except (ImportError, ValueError) as error:
        raise DeviceError(
            f"expected PyGObject (`pip install 'loupe[aravis]'`) and the Debian packages {rtsp.PACKAGES}: {error}"
        ) from error
    port, address = place.port(4)
    return Child(
        name="stream",
        command=[sys.executable, "-m", "edge.rig.rtsp", "--port", str(port)],
        address=address,
        hint=f"RTSP: rtsp://{rtsp.USER}:{rtsp.PASSWORD}@{address}{rtsp.PATH}",
        port=port,
    )


PARTS: Final[Sequence[tuple[str, Callable[[Place], Child]]]] = (
    ("PLC", conveyor),
    ("broker", mqtt),
    ("camera", gige_camera),
    ("stream", network_camera),
    ("server", server),
)
