"""`loupe edge` at a line: real processes, a simulated PLC with a conveyor and a gate, pictures from a folder."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from edge.ledger import Outcome, audit
from edge.rig.plc import COUNTER, HEARTBEAT, RECIPE, Plc, plc
from tests.bundles import make_bundle, part, spotted, stranger
from tests.e2e.serving import clean_environment, eventually
from vision.image import encode_png

pytestmark = pytest.mark.slow

LOUPE: Final = str(Path(sys.executable).with_name("loupe"))
DUE_S: Final = 0.25
JITTER_S: Final = 0.1  # beside other tests; benchmarks measure it alone
SEEN: Final = ("accept", "reject", "review")  # what the three pictures of the folder are


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A box's folder: a bundle, and pictures that are accepted, rejected and sent to review in turn."""
    make_bundle(tmp_path / "plates.loupe")
    (tmp_path / "parts").mkdir()
    for number, picture in enumerate([part(1), spotted(2), stranger()]):
        (tmp_path / "parts" / f"{number}.png").write_bytes(encode_png(picture))
    return tmp_path


def line(
    box: Path, port: int, *, coils: str = "{ accept = 0, reject = 1, review = 2 }", more: str = ""
) -> Path:
    path = box / "line.toml"
    path.write_text(
        f"""
        {more}
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = {DUE_S}
            late_s = 0.1
        trigger = {{ kind = "modbus", address = "127.0.0.1:{port}", register = {COUNTER} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ kind = "modbus", address = "127.0.0.1:{port}", coils = {coils}, heartbeat = {HEARTBEAT} }}
        """
    )
    return path


@dataclass
class Run:
    """A running `loupe edge run`."""

    process: "subprocess.Popen[str]"

    def stop(self) -> dict[str, Any]:
        """Tell it to end, and give what it says it did."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        stations: dict[str, Any] = json.loads(out)["stations"]
        return stations

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(box: Path, gate: Plc) -> Iterator[Run]:
    """A station that has read the counter and whose heart beats."""
    reads, beats = gate.reads, len(gate.beats)
    process = subprocess.Popen(
        [LOUPE, "edge", "run", "--config", box / "line.toml", "--json"],
        env=clean_environment(box),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: (gate.reads > reads + 3 and len(gate.beats) > beats) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        yield Run(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def loupe(box: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LOUPE, *map(str, arguments)], env=clean_environment(box), capture_output=True, text=True, timeout=60
    )


def accounted(box: Path, triggers: int) -> Callable[[], bool]:
    def all_of_them() -> bool:
        found = audit(box / "loupe-data" / "infeed")
        return found.triggers >= triggers and found.balanced

    return all_of_them


def test_each_part_is_judged_and_its_gate_moves_when_it_is_there(box: Path) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as station:
            gate.convey(12, 0.1)
            eventually(accounted(box, 12))
            said = station.stop()

        assert [decision for _, decision in gate.gate()] == [SEEN[number % 3] for number in range(12)]
        for passed, (moved, _) in zip(gate.parts, gate.gate(), strict=True):
            assert moved - passed == pytest.approx(DUE_S, abs=JITTER_S)
        assert gate.at_rest()
        assert len(gate.beats) > 1
        assert said == {
            "infeed": {
                "outcomes": {"accept": 4, "reject": 4, "review": 4, "timeout": 0, "fault": 0},
                "error": "",
            }
        }
        counted = loupe(box, "edge", "audit", box / "loupe-data" / "infeed", "--json")
        assert counted.returncode == 0
        assert json.loads(counted.stdout) == {
            "triggers": 12, "accept": 4, "reject": 4, "review": 4, "timeout": 0, "fault": 0, "open": 0, "missing": 0,
            "pruned": 0, "discarded": 0, "balanced": True,
        }  # fmt: skip


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.24, 0.27])
def test_after_kill_9_every_part_that_the_plc_counted_has_an_outcome(box: Path, after_s: float) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as station:
            gate.convey(4, 0.05)
            time.sleep(after_s)
            station.kill()
        gate.convey(3, 0.02)  # nobody is there
        with running(box, gate) as station:
            gate.part()
            eventually(accounted(box, 8))
            station.stop()

        found = audit(box / "loupe-data" / "infeed")
        assert (found.triggers, found.missing) == (len(gate.parts), 0)
        assert found.balanced
        assert found.outcomes[Outcome.FAULT] >= 3
        verdicts = sum(found.outcomes[one] for one in (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW))
        assert verdicts <= len(gate.gate()), "no verdict without its output"


def test_a_plc_that_goes_away_and_comes_back_is_found_again(box: Path) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as station:
            gate.convey(3, 0.05)
            eventually(accounted(box, 3))
            gate.stop()
            time.sleep(0.3)
            gate.parts += [0.0, 0.0]  # it goes on counting by itself
            beats = len(gate.beats)
            gate.start()
            eventually(lambda: len(gate.beats) > beats + 1)
            gate.part()
            eventually(accounted(box, 6))
            said = station.stop()
        assert said["infeed"]["outcomes"]["fault"] == 2
        assert audit(box / "loupe-data" / "infeed").triggers == len(gate.parts)


def test_a_gate_that_refuses_is_a_fault_for_each_part(box: Path) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as station:
            gate.refuses = True
            gate.convey(3, 0.1)
            eventually(accounted(box, 3))
            said = station.stop()
        assert said["infeed"]["outcomes"]["fault"] == 3
        assert gate.gate() == []


def test_check_reaches_every_device_and_names_those_it_cannot(box: Path) -> None:
    with plc() as gate:
        path = line(box, gate.port)
        reached = loupe(box, "edge", "check", "--config", path, "--json")
        assert reached.returncode == 0, reached.stderr
        assert json.loads(reached.stdout)["reached"]
    missed = loupe(box, "edge", "check", "--config", path, "--json")
    assert missed.returncode == 1
    errors = {one["what"]: one["error"] for one in json.loads(missed.stdout)["found"]}
    assert errors["bundle"] == errors["camera"] == ""
    for what in ("trigger", "actuator"):
        assert (
            errors[what]
            == f"PLC 127.0.0.1:{gate.port}: expected a Modbus TCP device, found nobody who answers"
        )


@pytest.mark.parametrize(
    ("more", "coils", "said"),
    [
        ("colour = 1", "{ accept = 0 }", "line.toml: colour: expected one of data, pictures, reserve_mib, station, uplink; found a key that is none"),
        ("", "{ accept = 70000 }", "line.toml: station.0.actuator.modbus.coils.accept: input should be less than or equal to 65535"),
        ("", "{ }", "line.toml: station.0.actuator.modbus.coils: "),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_ends_with_2_and_names_the_field(
    box: Path, more: str, coils: str, said: str
) -> None:
    path = line(box, 1, coils=coils, more=more)
    for verb in ("check", "run"):
        ended = loupe(box, "edge", verb, "--config", path)
        assert ended.returncode == 2
        assert said in ended.stderr.replace("\n", " ").replace("  ", " ")


def journal(box: Path, parts: int, period_s: float, stations: Sequence[str] = ("infeed",)) -> Path:
    """Stations without hardware, that end by themselves."""
    path = box / "line.toml"
    path.write_text(
        "\n".join(
            f"""
            [[station]]
            name = "{name}"
            bundle = "plates.loupe"
            due_s = {DUE_S}
            late_s = 0.1
            trigger = {{ kind = "timer", period_s = {period_s}, parts = {parts} }}
            camera = {{ kind = "folder", folder = "parts", again = true }}
            actuator = {{ kind = "journal", path = "{name}.jsonl" }}
            """
            for name in stations
        )
    )
    return path


def test_two_stations_run_beside_each_other_and_end_with_their_triggers(box: Path) -> None:
    path = journal(box, parts=9, period_s=0.05, stations=("infeed", "outfeed"))

    ended = loupe(box, "edge", "run", "--config", path)

    assert ended.returncode == 0, ended.stderr
    for name in ("infeed", "outfeed"):
        assert f"{name}: 3 accept, 3 reject, 3 review, 0 timeout, 0 fault" in ended.stdout
        driven = [json.loads(one)["decision"] for one in (box / f"{name}.jsonl").read_text().splitlines()]
        assert driven == list(SEEN) * 3


def test_what_cannot_be_opened_is_said_before_a_part_is_taken(box: Path) -> None:
    path = journal(box, parts=1, period_s=0.05)
    (box / "plates.loupe").unlink()
    ended = loupe(box, "edge", "run", "--config", path, "--json")
    assert ended.returncode == 2
    assert "plates.loupe" in ended.stderr
    assert not (box / "loupe-data").exists()


def test_a_gate_that_a_dead_box_would_leave_open_is_refused(box: Path) -> None:
    path = line(box, 1, coils="{ reject = 1 }")
    path.write_text(path.read_text().replace(f", heartbeat = {HEARTBEAT}", ""))
    ended = loupe(box, "edge", "check", "--config", path)
    assert ended.returncode == 2
    assert "actuator.heartbeat: expected a register that the PLC watches" in ended.stderr.replace("\n", " ")


# --- several cameras, several products


def test_a_defect_that_one_of_two_cameras_sees_rejects_the_part(box: Path) -> None:
    path = journal(box, parts=3, period_s=0.1)
    (box / "behind").mkdir()
    (box / "behind" / "1.png").write_bytes(encode_png(spotted(7)))
    camera = '{ kind = "folder", folder = "parts", again = true }'
    both = f'[{camera}, {{ kind = "folder", folder = "behind", again = true }}]'
    path.write_text(path.read_text().replace(camera, both))

    ended = loupe(box, "edge", "run", "--config", path)

    assert "infeed: 0 accept, 3 reject, 0 review, 0 timeout, 0 fault" in ended.stdout
    checked = loupe(box, "edge", "check", "--config", path, "--json")
    assert {"camera 1", "camera 2"} <= {one["what"] for one in json.loads(checked.stdout)["found"]}


def products(path: Path, source: str) -> None:
    """Plates under code 1, and under code 2 those whose every picture goes to a person."""
    make_bundle(path.parent / "careful.loupe", certified=False)
    recipes = '{ code = 1, bundle = "plates.loupe" }, { code = 2, bundle = "careful.loupe" }'
    changeover = f"changeover = {{ source = {source}, recipe = [{recipes}] }}"
    path.write_text(path.read_text().replace('bundle = "plates.loupe"', changeover, 1))


def test_the_plc_says_which_product_runs_and_no_part_is_judged_by_the_other_model(box: Path) -> None:
    with plc() as gate:
        products(
            line(box, gate.port),
            f'{{ kind = "modbus", address = "127.0.0.1:{gate.port}", register = {RECIPE} }}',
        )
        gate.run_product(1)
        with running(box, gate) as station:
            gate.convey(3, 0.1)
            time.sleep(0.1)
            gate.run_product(2)  # while those parts are on their way to the gate
            gate.convey(3, 0.1)
            eventually(accounted(box, 6))
            gate.run_product(3)
            gate.part()
            eventually(accounted(box, 7))
            said = station.stop()
        assert said["infeed"]["outcomes"] == {"accept": 1, "reject": 1, "review": 4, "timeout": 0, "fault": 1}
        assert [decision for _, decision in gate.gate()] == [*SEEN, "review", "review", "review", "reject"]


def test_an_operator_says_which_product_runs(box: Path) -> None:
    path = journal(box, parts=3, period_s=0.1)
    products(path, '{ kind = "operator" }')

    unsaid = loupe(box, "edge", "check", "--config", path)
    assert unsaid.returncode == 1
    assert "loupe edge recipe" in unsaid.stdout
    wrong = loupe(box, "edge", "recipe", 3, "--config", path)
    assert wrong.returncode == 2
    assert "expected one of the codes 1, 2, found 3" in wrong.stderr

    for code, outcomes in ((1, "1 accept, 1 reject, 1 review"), (2, "0 accept, 0 reject, 3 review")):
        assert loupe(box, "edge", "recipe", code, "--config", path).returncode == 0
        ended = loupe(box, "edge", "run", "--config", path)
        assert f"infeed: {outcomes}, 0 timeout, 0 fault" in ended.stdout
    shown = json.loads(loupe(box, "edge", "recipe", "--config", path, "--json").stdout)
    assert (shown["station"], shown["code"]) == ("infeed", 2)
