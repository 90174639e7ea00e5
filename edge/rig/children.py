"""Processes that are started together and ended together: when one ends, all do, and it is said which.

They are children in sessions of their own, so that Ctrl-C reaches this process alone, which then ends them in the opposite order. Where
util-linux's `setpriv` is there, the kernel ends them, too, should this process be killed.
"""

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vision.errors import DeviceError

_PATIENCE_S: Final = 60.0  # to be ready
_GRACE_S: Final = 10.0  # to end in good order
_GLANCE_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process of the rig.

    Attributes:
        name: for the table and the log.
        command: what starts it in the foreground.
        address: where it is reached, for people.
        hint: what is to be found there.
        port: on the loopback; ready when it takes connections. Without: ready at once.
        folder: to start it in.
        environment: beside this process's own.
    """

    name: str
    command: Sequence[str]
    address: str
    hint: str
    port: int | None = None
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Family:
    """Children that live together.

    Args:
        logs: a folder; what each says is kept there.
    """

    def __init__(self, children: Sequence[Child], *, logs: Path, environment: Mapping[str, str]) -> None:
        self._children, self._logs, self._environment = children, logs, environment
        self._started: list[tuple[Child, subprocess.Popen[bytes]]] = []

    def start(self, ending: threading.Event) -> None:
        """Start all, and wait until each is ready or `ending` is set.

        Raises:
            DeviceError: one is not ready in time, or its port is taken; then none is started.
        """
        for child in self._children:
            if child.port is not None and _answers(child.port):
                raise DeviceError(f"{child.name}: port {child.port} is taken by another process")
        for child in self._children:
            self._started.append((child, self._start(child)))
        for child in self._children:
            self._await(child, ending)

    def wait(self, ending: threading.Event) -> None:
        """Return when `ending` is set.

        Raises:
            DeviceError: a child ended before that.
        """
        while not ending.wait(_GLANCE_S):
            self._all_live()

    def stop(self) -> None:
        """End all that were started, the last one first."""
        while self._started:
            _, process = self._started.pop()
            process.terminate()
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, child: Child) -> "subprocess.Popen[bytes]":
        with self._log(child).open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (the rig's own list)
                [*_ended_by_the_kernel(), *child.command],
                cwd=child.folder,
                env={**self._environment, **child.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _await(self, child: Child, ending: threading.Event) -> None:
        until = time.monotonic() + _PATIENCE_S
        while child.port is not None and not _answers(child.port) and not ending.is_set():
            self._all_live()
            if time.monotonic() > until:
                raise DeviceError(f"{child.name}: not ready within {_PATIENCE_S} s; see {self._log(child)}")
            time.sleep(_GLANCE_S)

    def _all_live(self) -> None:
        for child, process in self._started:
            code = process.poll()
            if code is not None:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
                raise DeviceError(f"{child.name} {how}; see {self._log(child)}")

    def _log(self, child: Child) -> Path:
        return self._logs / f"{child.name.lower()}.log"


def _ended_by_the_kernel() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--"]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
