"""Processes that a benchmark starts: what they and their children use, and how they end.

Knows nothing of what they do. Ends what it was given and what that has started, each by its own id, and nothing else.
"""

import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import psutil

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all that it had started when this was made."""

    processes: tuple[Any, ...]

    @classmethod
    def of(cls, pid: int) -> Self:
        root = psutil.Process(pid)
        return cls((root, *root.children(recursive=True)))

    def cpu_s(self) -> float:
        """Seconds of CPU, user and system, since they were started; of those that still run."""
        total = 0.0
        for one in self.processes:
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def resident_mib(self) -> float:
        """Memory; what several share is counted for each."""
        total = 0
        for one in self.processes:
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        return total / _MIB


def stop(process: subprocess.Popen[Any], *, patience_s: float = 30.0) -> None:
    """SIGTERM to the process, time to end by itself, then whatever is left of it and of its children."""
    if process.poll() is not None:
        return
    children = Tree.of(process.pid).processes[1:]
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _end(children)


def _end(processes: Iterable[Any]) -> None:
    """Those that outlived their parent; psutil does not mistake a later process with the same id for one of them."""
    _, alive = psutil.wait_procs(processes, timeout=5)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    _, alive = psutil.wait_procs(alive, timeout=5)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
