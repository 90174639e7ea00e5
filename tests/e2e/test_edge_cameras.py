"""`loupe edge` with cameras that are really there: GigE Vision and RTSP on the loopback, unplugged, lossy, and as triggers."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edge.ledger import Outcome, audit
from edge.rig.gige import gige
from edge.rig.rtsp import PACKAGES, libraries
from tests.e2e.lines import loupe, running
from tests.e2e.serving import eventually
from tests.edge.cameras.needs import missing_gige
from vision.errors import StorageError

pytestmark = pytest.mark.slow

needs_gige = pytest.mark.skipif(bool(missing_gige()), reason=missing_gige())


def missing_rtsp() -> str:
    try:
        libraries()
    except (ImportError, ValueError) as error:
        return f"{error}; needs the extra aravis and Debian's {PACKAGES}: make rig"
    return ""


needs_rtsp = pytest.mark.skipif(bool(missing_rtsp()), reason=missing_rtsp())


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


def outcomes(box: Path, *wanted: Outcome) -> int:
    try:
        found = audit(box / "loupe-data" / "infeed").outcomes
    except StorageError:  # not made yet
        return 0
    return sum(found[one] for one in wanted)


def verdicts(box: Path) -> int:
    return outcomes(box, Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW)


def unjudged(box: Path) -> int:
    return outcomes(box, Outcome.FAULT, Outcome.TIMEOUT)


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
@pytest.mark.parametrize(("lost", "parts"), [(0, 10), (50, 25)])
def test_each_part_has_an_outcome_whatever_the_network_loses(box: Path, lost: int, parts: int) -> None:
    trigger = f'{{ kind = "timer", period_s = 0.2, parts = {parts} }}'
    path = line(box, trigger=trigger, camera=gige_camera("software"))
    with gige(lost=lost):
        ended = loupe(box, "edge", "run", "--config", path, "--json")
    assert ended.returncode == 0, ended.stderr
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    assert found.triggers == parts
    assert verdicts(box) > (0 if lost else 7)
    assert found.outcomes[Outcome.FAULT] > 0 or not lost


@needs_gige
def test_a_camera_that_is_unplugged_makes_faults_and_is_used_again_when_it_is_back(box: Path) -> None:
    line(box, trigger='{ kind = "timer", period_s = 0.2 }', camera=gige_camera("software"))
    with gige() as device, running(box) as run:
        eventually(lambda: verdicts(box) >= 3)
        device.stop()
        eventually(lambda: unjudged(box) > 0)
        before = verdicts(box)
        device.start()
        eventually(lambda: verdicts(box) >= before + 3)
        run.stop()
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    assert "camera 127.0.0.1: " in run.words


@needs_gige
def test_each_frame_of_a_camera_that_triggers_is_a_part_and_unplugging_it_is_said(box: Path) -> None:
    line(box, trigger='{ kind = "camera" }', camera=gige_camera("free"))
    with gige() as device, running(box) as run:
        eventually(lambda: verdicts(box) >= 5)
        device.stop()
        eventually(lambda: bool(run.alarms("trigger: camera 127.0.0.1: ")))
        before = verdicts(box)
        device.start()
        eventually(lambda: verdicts(box) >= before + 5)
        run.stop()
    assert audit(box / "loupe-data" / "infeed").balanced
    seen = counters(box)
    assert seen == list(range(seen[0], seen[0] + len(seen)))


@needs_gige
def test_after_kill_9_no_process_holds_the_camera(box: Path) -> None:
    line(box, trigger='{ kind = "timer", period_s = 0.2 }', camera=gige_camera("software"))
    with gige(), running(box) as run:
        eventually(lambda: verdicts(box) >= 3)
        (grabber,) = [
            one
            for one in psutil.Process(run.process.pid).children()
            if "edge.cameras.grabber" in one.cmdline()
        ]
        run.kill()
        eventually(lambda: not grabber.is_running())
        assert loupe(box, "edge", "check", "--config", box / "line.toml").returncode == 0


@needs_rtsp
def test_each_frame_of_a_network_camera_is_a_part(box: Path, rtsp_source: str) -> None:
    line(box, trigger='{ kind = "camera" }', camera=f'{{ kind = "stream", source = "{rtsp_source}" }}')
    with running(box) as run:
        eventually(lambda: verdicts(box) >= 20)
        run.stop()
    assert "sesame" not in run.words
    found = audit(box / "loupe-data" / "infeed")
    assert found.balanced
    seen = counters(box)
    assert seen == list(range(seen[0], seen[0] + found.triggers))
