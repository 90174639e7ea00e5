"""Peers installed, started, asked whether they do the same work, and stopped.

Each lives in an environment below a folder of its own, with the versions of `constraints.txt` for what does the work. What cannot be
installed or started is a `PeerError` that says why.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.generator import ROOT
from benchmarks.peers.work import Decoder, Model, Work
from benchmarks.processes import free_port, stop
from benchmarks.served import Setup
from vision.machine import this_machine

_SAME: Final = ("onnxruntime", "opencv-python-headless", "numpy", "pillow", "pydantic")
_INSTALL_S: Final = 1800.0
_START_S: Final = 120.0
_TOLERANCE: Final = 1e-3  # of logits, between this process and a peer's


class PeerError(Exception):
    """A peer that cannot be compared, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another server.

    Attributes:
        requirement: what pip installs.
        package: the distribution that its version is read from.
        command: after the environment's Python.
        path: of the URL that pictures are posted to.
    """

    requirement: str
    package: str
    command: tuple[str, ...]
    path: str = "/predict"


PEERS: Final[Mapping[str, Peer]] = {
    "litserve": Peer(
        requirement="litserve==0.2.19", package="litserve", command=("-m", "benchmarks.peers.litserve_server")
    ),
    "bentoml": Peer(
        requirement="bentoml>=1.4.39,<=1.4.40",
        package="bentoml",
        command=("-m", "bentoml", "serve", "benchmarks.peers.bentoml_server:Judge"),
    ),
    "mosec": Peer(
        requirement="mosec==0.9.8",
        package="mosec",
        command=("-m", "benchmarks.peers.mosec_server"),
        path="/inference",
    ),
    "ray": Peer(
        requirement="ray[serve]==2.60.0", package="ray", command=("-m", "benchmarks.peers.ray_server")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A peer with its interpreter."""

    name: str
    peer: Peer
    python: Path
    version: str


def install(name: str, folder: Path) -> Installed:
    """The peer's environment, made where it is not there yet.

    Raises:
        PeerError: pip could not install it.
    """
    peer, place = PEERS[name], folder.resolve() / name
    python, done = place / "bin" / "python", place / "installed"
    wanted = "\n".join([peer.requirement, *_pins()])
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=_INSTALL_S)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        told = subprocess.run(
            [*pip, *wanted.splitlines()], capture_output=True, text=True, check=False, timeout=_INSTALL_S
        )
        if told.returncode:
            raise PeerError(f"could not be installed: {_last_line(told.stderr)}")
        done.write_text(wanted)
    version = f"import importlib.metadata as m; print(m.version({peer.package!r}))"
    found = subprocess.run([str(python), "-c", version], capture_output=True, text=True, check=True)
    return Installed(name=name, peer=peer, python=python, version=found.stdout.strip())


def _pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.split("==")[0] in _SAME]


@dataclass(frozen=True, slots=True)
class Shape:
    """So many processes that hold the model, and the threads of its run in each."""

    workers: int
    threads: int

    def words(self) -> str:
        return f"processes with the model: {self.workers}, threads in each: {self.threads}"


def shapes(setup: Setup) -> list[Shape]:
    """Those that a peer's user would try: one that has what Loupe's lone batch has, or one on each core."""
    return sorted({Shape(1, setup.choice.threads), Shape(this_machine().cores, 1)}, key=Shape.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A peer that answers."""

    url: str
    pid: int


@contextmanager
def running(installed: Installed, setup: Setup, shape: Shape) -> Iterator[Running]:
    """The peer on a free port of the loopback, once its answer is the same as ours.

    Raises:
        PeerError: it ends, does not answer in time, or answers something else.
    """
    work = Work(
        model=str(setup.model),
        spec=setup.bundle.manifest.preprocess.model_dump_json(),
        threads=shape.threads,
        workers=shape.workers,
        decoders=this_machine().cores,
        port=free_port(),
    )
    folder = Path(tempfile.mkdtemp(prefix=f"{installed.name}-", dir=setup.work))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(installed.python), *installed.peer.command],
            cwd=ROOT,
            env=_environment(installed, work, folder),
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, work, installed.peer.path, setup.image.read_bytes(), folder / "log")
        yield Running(url=f"http://127.0.0.1:{work.port}{installed.peer.path}", pid=process.pid)
    finally:
        stop(process)


def _environment(installed: Installed, work: Work, folder: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return kept | work.environment() | {
        "PATH": f"{installed.python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOST": "127.0.0.1",
        "BENTOML_PORT": str(work.port),
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "DO_NOT_TRACK": "1",
    }  # fmt: skip


def _wait(process: subprocess.Popen[bytes], work: Work, path: str, image: bytes, log: Path) -> None:
    expected = Model(work)([Decoder(work)(image)])[0]
    until = time.monotonic() + _START_S
    while True:
        if process.poll() is not None:
            raise PeerError(f"ended with {process.returncode} at its start: {_last_line(log.read_text())}")
        status, body = _post(work.port, path, image)
        if status == 200:
            break
        if time.monotonic() > until:
            said = f"{status} {body[:200]!r}" if status else "nothing"
            raise PeerError(f"answered {said} after {_START_S:.0f} s: {_last_line(log.read_text())}")
        time.sleep(0.2)
    found = json.loads(body)["logits"]
    if not np.allclose(found, expected, atol=_TOLERANCE):
        raise PeerError(f"answered other logits than ours: expected {expected}, found {found}")


def _post(port: int, path: str, image: bytes) -> tuple[int, bytes]:
    """Status and body; 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, image, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
