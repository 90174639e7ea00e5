"""A GigE Vision camera, simulated: Aravis' own (Debian's aravis-tools), on the loopback. For trials, tests and benchmarks.

It shows a ramp that moves with each frame, exposes at a software trigger or freely, can lose packets, and knows no resends.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vision.errors import DeviceError

PROGRAM: Final = "arv-fake-gv-camera-0.8"
PACKAGE: Final = "aravis-tools"
PORT: Final = 3956  # of GigE Vision's control protocol
_WHO_IS_THERE: Final = bytes.fromhex("4201000200000001")  # its discovery command
_ATTEMPT_S: Final = 3.0
_PATIENCE_S: Final = 60.0  # another one may be at the address, of another test run


class GigeCamera:
    """A camera at an address of this machine's loopback interface.

    Args:
        serial: tells it from others; absent: one of this process's.
        lost: how many of a thousand packets never arrive.
    """

    def __init__(self, address: str = "127.0.0.1", *, serial: str = "", lost: int = 0) -> None:
        self.address, self.serial = address, serial or f"L{os.getpid()}"
        self._command = [PROGRAM, "-i", address, "-s", self.serial, "-r", str(lost)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Plug it in.

        Raises:
            DeviceError: it does not answer.
        """
        if shutil.which(PROGRAM) is None:
            raise DeviceError(f"expected Debian's package {PACKAGE}, found no {PROGRAM}")
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603
                    self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            if self._answers(_ATTEMPT_S):
                return
            self.stop()  # it does not end by itself where another one has its address
        raise DeviceError(f"{PROGRAM} does not answer on {self.address}:{PORT}")

    def stop(self) -> None:
        """Pull its plug."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self, patience_s: float) -> bool:
        """Whether this very camera answers, rather than another one at its address."""
        until = time.monotonic() + patience_s
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            asking.connect((self.address, PORT))
            while time.monotonic() < until:
                with contextlib.suppress(OSError):  # nobody there, or nobody yet
                    asking.send(_WHO_IS_THERE)
                    return self.serial.encode() in asking.recv(1024)
                time.sleep(0.05)
        return False


@contextmanager
def gige(address: str = "127.0.0.1", *, serial: str = "", lost: int = 0) -> Iterator[GigeCamera]:
    """A camera that is plugged in; while its plug is pulled nobody else's stands at its address.

    Raises:
        DeviceError: it does not answer.
    """
    one = GigeCamera(address, serial=serial, lost=lost)
    with (Path(tempfile.gettempdir()) / f"loupe-gige-{address}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other runs wait here for theirs
        try:
            one.start()
            yield one
        finally:
            one.stop()
