"""`make edge-rig` and `examples/line.toml`: what the first tells to be there, the second finds, and nothing is left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest

from edge.ledger import audit
from edge.rig.__main__ import READY
from edge.rig.parts import FIRST_PORT
from tests.e2e.serving import LOUPE, PATIENCE_S, clean_environment, eventually
from tests.edge.brokers import NEEDS_MOSQUITTO, listening
from vision.errors import StorageError

pytestmark = [pytest.mark.slow, NEEDS_MOSQUITTO]
EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "line.toml"


@dataclass
class Rig:
    """A rig that is ready, in a tree of its own as the repository is one."""

    root: Path
    first_port: int
    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / "build" / "edge-rig"

    def children(self) -> dict[str, psutil.Process]:
        """By what they run."""
        found = psutil.Process(self.process.pid).children()
        names = {"edge.rig.plc": "PLC", "mosquitto.conf": "broker", "serve": "server", "arv-fake": "camera"}
        return {
            name: one
            for one in found
            for what, name in names.items()
            if any(what in word for word in one.cmdline())
        }

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def example(self) -> Path:
        """`examples/line.toml`, whose ports are this rig's."""
        path = self.root / "examples" / "line.toml"
        path.parent.mkdir(exist_ok=True)
        told = re.sub(
            r"127\.0\.0\.1:(\d+)",
            lambda found: f"127.0.0.1:{int(found[1]) - FIRST_PORT + self.first_port}",
            EXAMPLE.read_text(),
        )
        path.write_text(told)
        return path


def free_ports(count: int) -> int:
    """The first of so many that are free one after the other."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, 10):
        taken = [_taken(first + number) for number in range(count)]
        if not any(taken):
            return first
    raise AssertionError("no ports are free")


def _taken(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def started(root: Path, first_port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edge.rig", "--first-port", str(first_port), "--period-s", "0.3"],
        cwd=root,
        env=clean_environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def rig(root: Path) -> Iterator[Rig]:
    first_port = free_ports(6)
    one = Rig(root=root, first_port=first_port, process=started(root, first_port))
    out, err = one.process.stdout, one.process.stderr
    assert out is not None
    assert err is not None
    try:
        for line in out:
            one.said.append(line.rstrip())
            if READY in line:
                break
        else:
            raise AssertionError(f"{one.said}; {err.read()}")
        yield one
    finally:
        code = one.end(signal.SIGTERM) if one.process.poll() is None else 0
        out.close()
        err.close()
    assert code == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One that the tests leave as it is."""
    with rig(tmp_path_factory.mktemp("rig")) as one:
        yield one


def loupe(one: Rig, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [LOUPE, *map(str, arguments)],
        env=clean_environment(one.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_example_reaches_the_rig_and_runs_against_it(shared: Rig) -> None:
    one = shared
    with listening(one.first_port + 1) as listener:
        checking = loupe(one, "edge", "check", "--config", one.example(), "--json")
        out, err = checking.communicate(timeout=PATIENCE_S)
        assert checking.returncode == 0, err + out
        found = json.loads(out)
        assert found["reached"]
        assert {(one["station"], one["what"]) for one in found["found"]} >= {
            ("", "view"),
            ("infeed", "trigger"),
            ("infeed", "uplink"),
            ("outfeed", "encoder"),
        }

        running = loupe(one, "edge", "run", "--config", one.example(), "--json")
        for name in ("infeed", "outfeed"):
            eventually(lambda ledger=one.folder / "loupe-data" / name: seen(ledger) >= 6)  # type: ignore[misc]
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 0, err
        listener.until(lambda heard: heard.states[-1:] == ["ended"])

        for name, ran in json.loads(out)["stations"].items():
            assert ran["error"] == ""
            assert all(ran["outcomes"][verdict] > 0 for verdict in ("accept", "reject", "review")), ran
            audited = loupe(one, "edge", "audit", one.folder / "loupe-data" / name, "--json")
            assert json.loads(audited.communicate(timeout=PATIENCE_S)[0])["balanced"]
        assert {"accept", "reject", "review"} <= {decision for decision in listener.decisions if decision}
        assert any("coil 0 on" in line for line in (one.folder / "plc.log").read_text().splitlines())


def seen(ledger: Path) -> int:
    try:
        return audit(ledger).triggers
    except StorageError:  # it is only being begun
        return 0


def test_the_rig_says_where_each_part_is(shared: Rig) -> None:
    told = {line.split()[0]: line for line in shared.said if line != READY}
    for number, name in enumerate(["PLC", "broker", "server"]):
        assert f"127.0.0.1:{shared.first_port + number} " in told[name] + " "
    assert {"camera", "stream"} <= told.keys(), "there, or what they lack"
    assert set(shared.children()) >= {"PLC", "broker", "server"}


def test_the_rig_ends_with_all_its_children(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        children = [*psutil.Process(one.process.pid).children(recursive=True)]
        assert one.end(signal.SIGINT) == 0
        assert not [child for child in children if child.is_running()]


def test_when_a_child_dies_all_end_and_it_is_said_which(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        children = one.children()
        children["server"].kill()
        assert one.process.wait(PATIENCE_S) == 1
        assert one.process.stderr is not None
        assert f"server was ended by SIGKILL; see {one.folder}/server.log" in one.process.stderr.read()
        assert not [child for child in children.values() if child.is_running()]


def test_after_kill_9_of_the_rig_no_child_is_left(tmp_path: Path) -> None:
    with rig(tmp_path) as one:
        children = list(one.children().values())
        one.process.kill()
        eventually(lambda: not [child for child in children if child.is_running()])


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = started(tmp_path, port - 1)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert f"broker: port {port} is taken by another process" in err


def test_a_rig_that_is_told_to_end_while_it_starts_ends(tmp_path: Path) -> None:
    process = started(tmp_path, free_ports(6))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("PLC")  # told before any is started
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert READY not in out
