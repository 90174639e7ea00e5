"""The operator's view of a real line, as a headless Chromium shows it: what runs, what failed, and what does not answer any more."""

import json
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.ledger import Outcome, audit
from edge.rig.plc import COUNTER, HEARTBEAT, Plc, plc
from tests.e2e.browser import Page, browser, needs_chromium
from tests.e2e.lines import STATION, Run, furnished, loupe, running
from tests.e2e.serving import eventually
from vision.image import decode

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """A running line, the PLC beside it, and where its view is."""

    folder: Path
    gate: Plc
    run: Run
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

    def round(self) -> None:
        """One part that is accepted, one that is rejected and one that goes to review: the last of all that were seen."""
        self.gate.convey(3, 0.1)
        eventually(lambda: self.station()["ledger"]["kept"] == len(self.gate.parts))


def write_line(folder: Path, view: str, trigger: str, actuator: str) -> Path:
    path = folder / "line.toml"
    path.write_text(
        f"""
        [view]
        listen = "{view}"
        [[station]]
        name = "{STATION}"
        bundle = "plates.loupe"
        due_s = 1.0  # beside a browser that starts
        late_s = 0.5
        drift_alpha = 0.01
        trigger = {{ {trigger} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ {actuator} }}
        """
    )
    return path


@contextmanager
def viewed(box: Path) -> Iterator[Viewed]:
    """A line that takes parts, with its view on a free port."""
    with plc() as gate:
        address = f'address = "127.0.0.1:{gate.port}"'
        write_line(
            box,
            "127.0.0.1:0",
            f'kind = "modbus", {address}, register = {COUNTER}',
            f'kind = "modbus", {address}, coils = {{ accept = 0 }}, heartbeat = {HEARTBEAT}',
        )
        with running(box, gate) as run:
            eventually(lambda: run.view != "")
            yield Viewed(folder=box, gate=gate, run=run, address=run.view)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Of a browser in English, in which one test after the other opens its line."""
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    """One that the tests leave as they found it, but for parts in threes."""
    with viewed(furnished(tmp_path_factory.mktemp("box"))) as found:
        yield found


@needs_chromium
def test_the_page_shows_the_last_verdict_and_the_running_counts(box: Path, page: Page) -> None:
    with viewed(box) as line:
        page.open(line.url)
        eventually(lambda: "NO PART YET" in page.text(".verdict"))
        for parts, verdict, why in (
            (1, "ACCEPT", "surely good"),
            (2, "REJECT", "surely defective"),
            (3, "REVIEW", "unlike any"),
        ):
            line.gate.part()
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
def test_the_picture_is_that_of_the_part_with_its_evidence(line: Viewed, page: Page) -> None:
    page.open(line.url)
    line.round()
    last = f"part {len(line.gate.parts)}: review"
    eventually(lambda: page.evaluate("document.querySelector('.last img')?.alt") == last)
    assert page.evaluate("document.querySelector('.last img').naturalWidth") == 64
    assert page.evaluate("document.querySelector('.last img').checkVisibility({visibilityProperty: true})")
    shown = decode(line.get("stations/infeed/last.png"))
    assert shown.size_wh == (64, 64)


@needs_chromium
def test_a_plc_that_is_gone_is_shown_and_so_is_its_return(line: Viewed, page: Page) -> None:
    page.open(line.url)
    eventually(lambda: "output well" in page.text(".devices"))
    line.gate.stop()
    eventually(lambda: page.text(".devices").count("FAILED since") == 2)  # trigger and output
    assert "found nobody who answers" in page.text(".devices")
    assert "PLC 127.0.0.1" in page.text(".alarms")
    line.gate.start()
    eventually(lambda: "FAILED" not in page.text(".devices"))


@needs_chromium
def test_a_box_that_hangs_does_not_look_alive_until_it_goes_on(line: Viewed, page: Page) -> None:
    page.open(line.url)
    eventually(lambda: page.text("#live").startswith("live"))
    line.run.process.send_signal(signal.SIGSTOP)
    eventually(lambda: page.evaluate("document.body.className") == "stale")
    assert page.text("#live") == "does not answer"
    line.run.process.send_signal(signal.SIGCONT)
    eventually(lambda: page.evaluate("document.body.className") == "")
    assert page.text("#silence") == ""


@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_lies_beyond_the_edge_of_the_screen(line: Viewed, page: Page, width: int) -> None:
    page.size(width, 800, phone=width < 500)
    page.open(line.url)
    line.round()
    eventually(lambda: f"part {len(line.gate.parts)}" in page.text(".part"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@needs_chromium
def test_it_speaks_chinese_to_those_who_read_it(line: Viewed, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", language="zh-CN") as page:
        line.round()
        page.open(line.url)
        eventually(lambda: page.text(".verdict").strip() == "复检")
        assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_prometheus_and_the_json_tell_the_same_as_the_ledger(line: Viewed) -> None:
    line.round()
    found = audit(line.folder / "loupe-data" / STATION)
    accepted, parts = found.outcomes[Outcome.ACCEPT], found.triggers
    assert accepted > 0
    assert parts == len(line.gate.parts) == sum(found.outcomes.values())
    outcomes = {one.value: found.outcomes[one] for one in Outcome}
    assert line.station()["counts"]["start"] == {
        **outcomes,
        "parts": parts,
        "yield": pytest.approx(accepted / parts),
    }
    metrics = line.get("metrics").decode()
    assert (
        f'loupe_edge_parts_total{{outcome="accept",reason="confident",station="infeed"}} {accepted:.1f}'
        in metrics
    )
    assert 'loupe_edge_device_up{device="camera",station="infeed"} 1.0' in metrics
    assert json.loads(line.get("healthz")) == {"ready": True, "stations": {"infeed": "running"}}


@needs_chromium
def test_a_box_that_was_killed_does_not_look_alive(box: Path, page: Page) -> None:
    with viewed(box) as line:
        page.open(line.url)
        line.gate.part()
        eventually(lambda: page.text(".verdict").strip() == "ACCEPT")
        line.run.kill()
        eventually(lambda: "No answer from the box since" in page.text("#silence"))
        assert page.evaluate("document.body.className") == "stale"
        assert "line-through" in page.evaluate(
            "getComputedStyle(document.querySelector('.verdict strong')).textDecoration"
        )
        assert "grayscale" in page.evaluate("getComputedStyle(document.querySelector('main')).filter")
        assert page.evaluate("document.title").startswith("⚠ No answer")


def test_a_line_whose_view_cannot_be_had_runs_without_it_and_check_says_so(box: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        timer = 'kind = "timer", period_s = 0.05, parts = 3'
        path = write_line(box, address, timer, 'kind = "journal", path = "gate.jsonl"')
        ran = loupe(box, "edge", "run", "--config", path)
        checked = loupe(box, "edge", "check", "--config", path)
    assert ran.returncode == 0, ran.stderr
    assert f"view: cannot listen on {address}" in ran.stderr
    assert "1 accept, 1 reject, 1 review" in ran.stdout
    assert checked.returncode == 1
    assert f"cannot listen on {address}" in checked.stdout.replace("\n", " ")
