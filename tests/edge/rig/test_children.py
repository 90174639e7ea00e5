"""Processes that live together: whichever of them ends, the others do, and it is said which."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Final

import psutil
import pytest

from edge.rig.children import Child, Family
from vision.errors import DeviceError

NAMES: Final = ("first", "second", "third")


def sleeper(name: str, *, port: int | None = None) -> Child:
    return Child(name=name, command=["sleep", "600"], address="-", hint="sleeps", port=port)


def grown_up() -> list[psutil.Process]:
    """This process's children that sleep, once all do."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = [one for one in psutil.Process().children() if one.name() == "sleep"]
        if len(found) == len(NAMES):
            return found
        time.sleep(0.01)
    raise AssertionError("they were not started")


@pytest.mark.parametrize("number", range(3))
def test_whichever_ends_is_said_and_the_others_are_ended(tmp_path: Path, number: int) -> None:
    family = Family([sleeper(name) for name in NAMES], logs=tmp_path, environment=os.environ)
    family.start(threading.Event())
    children = sorted(grown_up(), key=lambda one: one.pid)
    children[number].kill()
    with pytest.raises(
        DeviceError, match=f"^{NAMES[number]} was ended by SIGKILL; see .*/{NAMES[number]}.log$"
    ):
        family.wait(threading.Event())
    family.stop()
    assert not [one for one in children if one.is_running()]


def test_where_one_port_is_taken_none_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        family = Family(
            [sleeper("first"), sleeper("second", port=port)], logs=tmp_path, environment=os.environ
        )
        with pytest.raises(DeviceError, match=f"^second: port {port} is taken by another process$"):
            family.start(threading.Event())
    assert list(tmp_path.iterdir()) == []


def test_who_is_told_to_end_meanwhile_waits_for_nobody(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        late = sleeper("late", port=nobody.getsockname()[1])
        family, ending = Family([late], logs=tmp_path, environment=os.environ), threading.Event()
        ending.set()
        family.start(ending)
        family.wait(ending)
        family.stop()
