"""`loupe edge` at a line: real processes, a simulated PLC with a conveyor and a gate, pictures from a folder."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from edge.ledger import Outcome, audit
from edge.rig.plc import COUNTER, GATE, HEARTBEAT, RECIPE, SENSOR, plc
from tests.bundles import make_bundle, spotted
from tests.e2e.lines import accounted, loupe, running
from tests.e2e.serving import eventually
from vision.image import encode_png

pytestmark = pytest.mark.slow

DUE_S: Final = 0.25
JITTER_S: Final = 0.1  # beside other tests; benchmarks measure it alone
SEEN: Final = ("accept", "reject", "review")  # what the three pictures of the folder are


COUNTED: Final = f'kind = "modbus", register = {COUNTER}'
SENSED: Final = f'kind = "modbus_input", input = {SENSOR}, stable_s = 0.006'
BY_REGISTER: Final = (
    f'kind = "modbus_register", register = {GATE}, values = {{ accept = 1, reject = 2, review = 3 }}'
)


def by_coils(coils: str = "{ accept = 0, reject = 1, review = 2 }") -> str:
    return f'kind = "modbus", coils = {coils}'


KINDS: Final = ((COUNTED, by_coils()), (SENSED, by_coils()), (COUNTED, BY_REGISTER))  # of triggers and gates


def line(
    box: Path, port: int, *, trigger: str = COUNTED, gate_kind: str = by_coils(), more: str = ""
) -> Path:
    path = box / "line.toml"
    path.write_text(more + station("infeed", port, trigger=trigger, gate_kind=gate_kind))
    return path


def station(name: str, port: int, *, trigger: str, gate_kind: str) -> str:
    address = f'address = "127.0.0.1:{port}"'
    return f"""
        [[station]]
        name = "{name}"
        bundle = "plates.loupe"
        due_s = {DUE_S}
        late_s = 0.1
        trigger = {{ {trigger}, {address} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ {gate_kind}, {address}, heartbeat = {HEARTBEAT} }}
        """


@pytest.mark.parametrize(("trigger", "gate_kind"), KINDS)
def test_each_parts_gate_moves_when_it_is_there_and_one_that_refuses_is_a_fault(
    box: Path, trigger: str, gate_kind: str
) -> None:
    with plc() as gate:
        line(box, gate.port, trigger=trigger, gate_kind=gate_kind)
        with running(box, gate) as run:
            gate.convey(12, 0.1)
            eventually(accounted(box, 12))
            eventually(gate.at_rest)
            gate.refuses = True
            gate.convey(3, 0.1)
            eventually(accounted(box, 15))
            said = run.stop()

        assert [decision for _, decision in gate.gate()] == [SEEN[number % 3] for number in range(12)]
        for passed, (moved, _) in zip(gate.parts, gate.gate(), strict=False):
            assert moved - passed == pytest.approx(DUE_S, abs=JITTER_S)
        assert len(gate.beats) > 1
        assert said == {
            "infeed": {
                "outcomes": {"accept": 4, "reject": 4, "review": 4, "timeout": 0, "fault": 3},
                "error": "",
            }
        }


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.24])
def test_after_kill_9_every_part_that_the_plc_counted_has_an_outcome(box: Path, after_s: float) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as run:
            gate.convey(4, 0.05)
            time.sleep(after_s)
            run.kill()
        gate.convey(3, 0.02)  # nobody is there
        with running(box, gate) as run:
            gate.part()
            eventually(accounted(box, 8))
            run.stop()

        found = audit(box / "loupe-data" / "infeed")
        assert (found.triggers, found.missing) == (len(gate.parts), 0)
        assert found.balanced
        assert found.outcomes[Outcome.FAULT] >= 3
        verdicts = sum(found.outcomes[one] for one in (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW))
        assert verdicts <= len(gate.gate()), "no verdict without its output"


def test_a_plc_that_goes_away_and_comes_back_is_found_again(box: Path) -> None:
    with plc() as gate:
        line(box, gate.port)
        with running(box, gate) as run:
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
            said = run.stop()
        assert said["infeed"]["outcomes"]["fault"] == 2
        assert audit(box / "loupe-data" / "infeed").triggers == len(gate.parts)


def test_check_reaches_every_device_and_names_those_it_cannot(box: Path) -> None:
    with plc() as gate:
        path = box / "line.toml"
        stations = [
            station(f"n{number}", gate.port, trigger=trigger, gate_kind=gate_kind)
            for number, (trigger, gate_kind) in enumerate(KINDS)
        ]
        path.write_text("".join(stations))
        reached = loupe(box, "edge", "check", "--config", path, "--json")
        assert reached.returncode == 0, reached.stderr
        assert json.loads(reached.stdout)["reached"]
    missed = loupe(box, "edge", "check", "--config", path, "--json")
    assert missed.returncode == 1
    errors = {(one["station"], one["what"]): one["error"] for one in json.loads(missed.stdout)["found"]}
    nobody = f"PLC 127.0.0.1:{gate.port}: expected a Modbus TCP device, found nobody who answers"
    for name in ("n0", "n1", "n2"):
        assert errors[name, "bundle"] == errors[name, "camera"] == ""
        assert errors[name, "trigger"] == errors[name, "actuator"] == nobody


def test_a_file_that_is_wrong_ends_with_2_and_names_the_field(box: Path) -> None:
    path = line(box, 1, more="colour = 1")
    for verb in ("check", "run"):
        ended = loupe(box, "edge", verb, "--config", path)
        assert ended.returncode == 2
        assert "line.toml: colour: expected one of data, " in " ".join(ended.stderr.split())


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
    counted = loupe(box, "edge", "audit", box / "loupe-data" / "infeed", "--json")
    assert counted.returncode == 0
    assert json.loads(counted.stdout) == {
        "triggers": 9, "accept": 3, "reject": 3, "review": 3, "timeout": 0, "fault": 0, "open": 0, "missing": 0,
        "pruned": 0, "discarded": 0, "balanced": True,
    }  # fmt: skip


def test_what_cannot_be_opened_is_said_before_a_part_is_taken(box: Path) -> None:
    path = journal(box, parts=1, period_s=0.05)
    (box / "plates.loupe").unlink()
    ended = loupe(box, "edge", "run", "--config", path, "--json")
    assert ended.returncode == 2
    assert "plates.loupe" in ended.stderr
    assert not (box / "loupe-data").exists()


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
        with running(box, gate) as run:
            gate.convey(3, 0.1)
            time.sleep(0.1)
            gate.run_product(2)  # while those parts are on their way to the gate
            gate.convey(3, 0.1)
            eventually(accounted(box, 6))
            gate.run_product(3)
            gate.part()
            eventually(accounted(box, 7))
            said = run.stop()
        assert said["infeed"]["outcomes"] == {"accept": 1, "reject": 1, "review": 4, "timeout": 0, "fault": 1}
        assert [decision for _, decision in gate.gate()] == [*SEEN, "review", "review", "review", "reject"]


def test_an_operator_says_which_product_runs(box: Path) -> None:
    with plc() as gate:
        path = line(box, gate.port)
        products(path, '{ kind = "operator" }')

        unsaid = loupe(box, "edge", "check", "--config", path)
        assert unsaid.returncode == 1
        assert "loupe edge recipe" in unsaid.stdout
        wrong = loupe(box, "edge", "recipe", 3, "--config", path)
        assert wrong.returncode == 2
        assert "expected one of the codes 1, 2, found 3" in wrong.stderr

        with running(box, gate) as run:
            for code in (1, 2):
                said = json.loads(loupe(box, "edge", "recipe", code, "--config", path, "--json").stdout)
                assert (said["station"], said["code"]) == ("infeed", code)
                gate.convey(3, 0.1)
                eventually(accounted(box, 3 * code))
            outcomes = run.stop()["infeed"]["outcomes"]
    assert outcomes == {"accept": 1, "reject": 1, "review": 4, "timeout": 0, "fault": 0}
