"""A real MQTT broker on the loopback: mosquitto as a child process, configured in a folder of its own. For trials and tests.

Needs the Debian package `mosquitto`; it is no part of Loupe's installation.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vision.errors import DeviceError

PACKAGE: Final = "mosquitto"
_PATIENCE_S: Final = 10.0


def program(name: str = PACKAGE) -> str | None:
    """Where mosquitto is; Debian keeps it where only root's shell looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@dataclass(kw_only=True)
class Broker:
    """One broker; its port stays the same from one start to the next.

    Attributes:
        folder: for its configuration and log; made if it is not there.
        port: 0 takes a free one.
        users: passwords by name; without, everybody may connect.
        certificate: certificate and key, as PEM files; with it, connections are encrypted.
    """

    folder: Path
    port: int = 0
    users: Mapping[str, str] = field(default_factory=dict)
    certificate: tuple[Path, Path] | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait until it takes connections.

        Raises:
            DeviceError: mosquitto is not installed, or does not start.
        """
        command = self.command()
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  (mosquitto, on a file written here)
        self._await()

    def command(self) -> list[str]:
        """What starts it in the foreground; its configuration is written.

        Raises:
            DeviceError: mosquitto is not installed.
        """
        found = program()
        if found is None:
            raise DeviceError(f"expected the program of the Debian package {PACKAGE}, found none")
        self.port = self.port or _free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        return [found, "-c", str(self._configured())]

    def kill(self) -> None:
        """End it as a power switch does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it in good order."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_PATIENCE_S)

    def _configured(self) -> Path:
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            f"allow_anonymous {str(not self.users).lower()}",
        ]
        if self.users:
            known = self.folder / "users"
            known.write_text("".join(f"{name}:{password}\n" for name, password in self.users.items()))
            subprocess.run([program("mosquitto_passwd") or "", "-U", known], check=True, capture_output=True)  # noqa: S603  (of the same package)
            lines.append(f"password_file {known}")
        if self.certificate is not None:
            lines += [f"certfile {self.certificate[0]}", f"keyfile {self.certificate[1]}"]
        path = self.folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _await(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and self.process is not None and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        self.kill()
        raise DeviceError(
            f"mosquitto on port {self.port}: expected it to take connections; {self.folder / 'mosquitto.log'} says why not"
        )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
