"""The operator's view of a real line, as a headless Chromium shows it: what runs, what failed, and what does not answer any more."""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from edge.rig.plc import COUNTER, HEARTBEAT, Plc, plc
from tests.bundles import make_bundle, part, spotted, stranger
from tests.e2e.browser import Page, browser, needs_chromium
from tests.e2e.serving import LOUPE, clean_environment, eventually
from vision.image import Pixels, decode, encode_png

pytestmark = pytest.mark.slow

PLATES: Final = (part(1), spotted(2), stranger())  # accepted, rejected, sent to review


@dataclass
class Box:
    """A running line and where its view is."""

    process: "subprocess.Popen[str]"
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}/"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.address}/{path}", timeout=10) as answer:
            content: bytes = answer.read()
            return content

    def station(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("status.json"))["stations"][0]
        return found


def write_line(folder: Path, port: int, view: str, plates: Sequence[Pixels]) -> None:
    make_bundle(folder / "plates.loupe")
    (folder / "parts").mkdir()
    for number, picture in enumerate(plates):
        (folder / "parts" / f"{number:02}.png").write_bytes(encode_png(picture))
    (folder / "line.toml").write_text(
        f"""
        [view]
        listen = "{view}"
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = 1.0  # beside a browser that starts
        late_s = 0.5
        drift_alpha = 0.01
        trigger = {{ kind = "modbus", address = "127.0.0.1:{port}", register = {COUNTER} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ kind = "modbus", address = "127.0.0.1:{port}", coils = {{ accept = 0 }}, heartbeat = {HEARTBEAT} }}
        """
    )


@contextmanager
def viewed(folder: Path, gate: Plc, plates: Sequence[Pixels] = PLATES) -> Iterator[Box]:
    """A line that takes parts, with its view on a free port."""
    write_line(folder, gate.port, "127.0.0.1:0", plates)
    reads, beats = gate.reads, len(gate.beats)
    process = subprocess.Popen(
        [LOUPE, "edge", "run", "--config", folder / "line.toml", "--json"],
        env=clean_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = [""]
        while "view on " not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], said
        eventually(lambda: gate.reads > reads + 3 and len(gate.beats) > beats)
        yield Box(process, said[-1].split("http://")[1].strip().rstrip("/"))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path / "profile") as found:
        yield found


@needs_chromium
def test_the_page_shows_the_last_verdict_and_the_running_counts(tmp_path: Path, page: Page) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.open(box.url)
        eventually(lambda: "NO PART YET" in page.text(".verdict"))
        for parts, verdict, why in (
            (1, "ACCEPT", "surely good"),
            (2, "REJECT", "surely defective"),
            (3, "REVIEW", "unlike any"),
        ):
            gate.part()
            eventually(lambda parts=parts: f"part {parts}" in page.text(".part"))  # type: ignore[misc]
            assert page.text(".verdict").strip() == verdict
            assert why in page.text(".reason")
        assert page.evaluate("document.querySelectorAll('.strip li').length") == 3
        assert "33.3%" in page.text(".yields")
        assert "3 triggers = 3 ended + 0 on their way" in page.text(".ledger")
        assert "plates 1.0 certified" in page.text(".models")
        assert "no drift" in page.text(".models")
        for device in ("trigger", "camera", "output"):
            assert f"{device} well since" in page.text(".devices")
        assert page.text(".alarms").endswith("none")
        assert page.text("#live").startswith("live")
        assert page.text("#silence") == ""


@needs_chromium
def test_the_picture_is_that_of_the_part_with_its_evidence(tmp_path: Path, page: Page) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.open(box.url)
        gate.convey(2, 0.4)
        eventually(lambda: page.text(".verdict").strip() == "REJECT")
        eventually(lambda: page.evaluate("document.querySelector('.last img').alt") == "part 2: reject")
        assert page.evaluate("document.querySelector('.last img').naturalWidth") == 64
        assert page.evaluate(
            "document.querySelector('.last img').checkVisibility({visibilityProperty: true})"
        )
        shown = decode(box.get("stations/infeed/last.png"))
        assert shown.size_wh == (64, 64)


@needs_chromium
def test_a_plc_that_is_gone_is_shown_and_so_is_its_return(tmp_path: Path, page: Page) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.open(box.url)
        eventually(lambda: "output well" in page.text(".devices"))
        gate.stop()
        eventually(lambda: page.text(".devices").count("FAILED since") == 2)  # trigger and output
        assert "found nobody who answers" in page.text(".devices")
        assert "PLC 127.0.0.1" in page.text(".alarms")
        gate.start()
        eventually(lambda: "FAILED" not in page.text(".devices"))


@needs_chromium
def test_a_box_that_was_killed_does_not_look_alive(tmp_path: Path, page: Page) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.open(box.url)
        gate.part()
        eventually(lambda: page.text(".verdict").strip() == "ACCEPT")
        box.process.kill()
        eventually(lambda: "No answer from the box since" in page.text("#silence"))
        assert page.evaluate("document.body.className") == "stale"
        assert "line-through" in page.evaluate(
            "getComputedStyle(document.querySelector('.verdict strong')).textDecoration"
        )
        assert "grayscale" in page.evaluate("getComputedStyle(document.querySelector('main')).filter")
        assert page.evaluate("document.title").startswith("⚠ No answer")


@needs_chromium
def test_a_box_that_hangs_does_not_look_alive_until_it_goes_on(tmp_path: Path, page: Page) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.open(box.url)
        eventually(lambda: page.text("#live").startswith("live"))
        box.process.send_signal(signal.SIGSTOP)
        eventually(lambda: page.evaluate("document.body.className") == "stale")
        assert page.text("#live") == "does not answer"
        box.process.send_signal(signal.SIGCONT)
        eventually(lambda: page.evaluate("document.body.className") == "")
        assert page.text("#silence") == ""


@needs_chromium
def test_it_speaks_chinese_to_those_who_read_it(tmp_path: Path) -> None:
    with (
        plc() as gate,
        viewed(tmp_path, gate) as box,
        browser(tmp_path / "profile", language="zh-CN") as page,
    ):
        page.open(box.url)
        gate.part()
        eventually(lambda: page.text(".verdict").strip() == "合格")
        assert "确定合格" in page.text(".reason")
        assert page.evaluate("document.documentElement.lang") == "zh-CN"


@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_lies_beyond_the_edge_of_the_screen(tmp_path: Path, page: Page, width: int) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        page.size(width, 800, phone=width < 500)
        page.open(box.url)
        gate.convey(3, 0.2)
        eventually(lambda: "part 3" in page.text(".part"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_prometheus_and_the_json_tell_the_same_as_the_ledger(tmp_path: Path) -> None:
    with plc() as gate, viewed(tmp_path, gate) as box:
        gate.convey(6, 0.1)
        eventually(lambda: box.station()["ledger"]["kept"] == 6)
        assert box.station()["counts"]["start"] == {
            "accept": 2, "reject": 2, "review": 2, "timeout": 0, "fault": 0, "parts": 6, "yield": pytest.approx(1 / 3),
        }  # fmt: skip
        metrics = box.get("metrics").decode()
        assert 'loupe_edge_parts_total{outcome="accept",reason="confident",station="infeed"} 2.0' in metrics
        assert 'loupe_edge_device_up{device="camera",station="infeed"} 1.0' in metrics
        assert json.loads(box.get("healthz")) == {"ready": True, "stations": {"infeed": "running"}}


def test_a_line_whose_view_cannot_be_had_runs_without_it_and_check_says_so(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with plc() as gate, viewed(first, gate) as box:
        taken = box.address
        write_line(second, gate.port, taken, PLATES)
        text = (second / "line.toml").read_text()
        timer = 'trigger = { kind = "timer", period_s = 0.05, parts = 3 }\n'
        lines = [
            timer if one.strip().startswith("trigger") else one for one in text.splitlines(keepends=True)
        ]
        (second / "line.toml").write_text("".join(lines))
        command = [str(LOUPE), "edge", "run", "--config", str(second / "line.toml")]
        ran = subprocess.run(
            command, env=clean_environment(second), capture_output=True, text=True, timeout=60
        )
        command[2] = "check"
        checked = subprocess.run(
            command, env=clean_environment(second), capture_output=True, text=True, timeout=60
        )
    assert ran.returncode == 0, ran.stderr
    assert f"view: cannot listen on {taken}" in ran.stderr
    assert "1 accept, 1 reject, 1 review" in ran.stdout
    assert checked.returncode == 1
    assert f"cannot listen on {taken}" in checked.stdout.replace("\n", " ")
