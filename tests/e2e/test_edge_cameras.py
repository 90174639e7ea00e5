"""`loupe edge` with cameras that are really there: GigE Vision and RTSP on the loopback, unplugged, lossy, and as triggers."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from edge.ledger import Outcome, audit
from edge.rig.gige import gige
from edge.rig.rtsp import PACKAGES, libraries
from tests.bundles import make_bundle
from tests.e2e.serving import clean_environment, eventually
from tests.edge.cameras.needs import missing_gige
from vision.errors import StorageError

pytestmark = pytest.mark.slow

LOUPE: Final = str(Path(sys.executable).with_name("loupe"))
needs_gige = pytest.mark.skipif(bool(missing_gige()), reason=missing_gige())


def missing_rtsp() -> str:
    try:
        libraries()
    except (ImportError, ValueError) as error:
        return f"{error}; needs the extra aravis and Debian's {PACKAGES}: make rig"
    return ""


needs_rtsp = pytest.mark.skipif(bool(missing_rtsp()), reason=missing_rtsp())


@pytest.fixture
def box(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "plates.loupe")
    return tmp_path


@pytest.fixture
def rtsp_source() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "edge.rig.rtsp", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def line(box: Path, *, trigger: str, camera: str) -> Path:
    path = box / "line.toml"
    path.write_text(
        f"""
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = 0.6
        late_s = 0.2
        trigger = {trigger}
        camera = {camera}
        actuator = {{ kind = "journal", path = "gate.jsonl" }}
        """
    )
    return path


def gige_camera(exposes: str) -> str:
    return (
        f'{{ kind = "aravis", device = "127.0.0.1", trigger = "{exposes}", region_xywh = [0, 0, 64, 64], pixel_format = "Mono8", '
        "frame_rate_hz = 10, timeout_s = 0.4, late_s = 0.4 }"
    )


def loupe(box: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LOUPE, *map(str, arguments)], env=clean_environment(box), capture_output=True, text=True, timeout=60
    )


@contextmanager
def started(box: Path) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [LOUPE, "edge", "run", "--config", box / "line.toml", "--json"],
        env=clean_environment(box),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def stopped(process: "subprocess.Popen[str]") -> str:
    """What it said on stderr."""
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return said


def verdicts(box: Path) -> int:
    try:
        found = audit(box / "loupe-data" / "infeed").outcomes
    except StorageError:  # not made yet
        return 0
    return sum(found[one] for one in (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW))


def counters(box: Path) -> list[int]:
    with sqlite3.connect(box / "loupe-data" / "infeed" / "ledger.db") as ledger:
        return [one for (one,) in ledger.execute("SELECT counter FROM part ORDER BY part")]


@needs_gige
def test_check_reaches_a_camera_and_says_which_it_does_not(box: Path) -> None:
    path = line(box, trigger='{ kind = "timer", period_s = 0.2 }', camera=gige_camera("software"))
    with gige():
        reached = loupe(box, "edge", "check", "--config", path, "--json")
        assert reached.returncode == 0, reached.stdout
    path.write_text(path.read_text().replace("127.0.0.1", "127.0.0.99"))  # where nobody can be
    missed = loupe(box, "edge", "check", "--config", path, "--json")
    assert missed.returncode == 1
    errors = {one["what"]: one["error"] for one in json.loads(missed.stdout)["found"]}
    assert errors["camera"].startswith("camera 127.0.0.99: device: Can't connect")
    assert not errors["actuator"]


@needs_gige
@pytest.mark.parametrize("lost", [0, 50])
def test_each_part_has_an_outcome_whatever_the_network_loses(box: Path, lost: int) -> None:
    path = line(box, trigger='{ kind = "timer", period_s = 0.2, parts = 25 }', camera=gige_camera("software"))
    with gige(lost=lost):
        ended = loupe(box, "edge", "run", "--config", path, "--json")
    assert ended.returncode == 0, ended.stderr
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    assert found.triggers == 25
    assert verdicts(box) > (0 if lost else 20)
    assert found.outcomes[Outcome.FAULT] > 0 or not lost


@needs_gige
def test_a_camera_that_is_unplugged_makes_faults_and_is_used_again_when_it_is_back(box: Path) -> None:
    line(box, trigger='{ kind = "timer", period_s = 0.2 }', camera=gige_camera("software"))
    with gige() as device, started(box) as process:
        eventually(lambda: verdicts(box) >= 5)
        device.stop()
        time.sleep(1)
        before = verdicts(box)
        device.start()
        eventually(lambda: verdicts(box) >= before + 5)
        said = stopped(process)
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    assert found.outcomes[Outcome.FAULT] + found.outcomes[Outcome.TIMEOUT] > 0
    assert "camera 127.0.0.1: " in said


@needs_gige
def test_each_frame_of_a_camera_that_triggers_is_a_part_and_unplugging_it_is_said(box: Path) -> None:
    line(box, trigger='{ kind = "camera" }', camera=gige_camera("free"))
    with gige() as device, started(box) as process:
        eventually(lambda: verdicts(box) >= 10)
        device.stop()
        time.sleep(1)
        before = verdicts(box)
        device.start()
        eventually(lambda: verdicts(box) >= before + 5)
        said = stopped(process)
    assert "trigger: camera 127.0.0.1: " in said
    assert audit(box / "loupe-data" / "infeed").balanced
    seen = counters(box)
    assert seen == list(range(seen[0], seen[0] + len(seen)))


@needs_gige
def test_after_kill_9_no_process_holds_the_camera(box: Path) -> None:
    line(box, trigger='{ kind = "timer", period_s = 0.2 }', camera=gige_camera("software"))
    with gige(), started(box) as process:
        eventually(lambda: verdicts(box) >= 3)
        (grabber,) = [
            one for one in psutil.Process(process.pid).children() if "edge.cameras.grabber" in one.cmdline()
        ]
        process.kill()
        process.communicate()
        eventually(lambda: not grabber.is_running())
        assert loupe(box, "edge", "check", "--config", box / "line.toml").returncode == 0


@needs_rtsp
def test_each_frame_of_a_network_camera_is_a_part(box: Path, rtsp_source: str) -> None:
    line(box, trigger='{ kind = "camera" }', camera=f'{{ kind = "stream", source = "{rtsp_source}" }}')
    with started(box) as process:
        eventually(lambda: verdicts(box) >= 20)
        said = stopped(process)
    assert "sesame" not in said
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    seen = counters(box)
    assert seen == list(range(seen[0], seen[0] + found.triggers))
