"""`loupe edge run` where the PLC shows more than a counter: an input that a part moves, a gate's register, and the belt's encoder."""

import json
import time
from pathlib import Path

import pytest

from edge.ledger import audit
from edge.rig.plc import ENCODER, plc
from tests.e2e.lines import accounted, loupe, running
from tests.e2e.serving import eventually
from tests.e2e.test_edge_line import BY_REGISTER, DUE_S, JITTER_S, SENSED, line

pytestmark = pytest.mark.slow


def test_a_plc_that_is_gone_while_its_input_is_read_is_found_again(box: Path) -> None:
    with plc() as gate:
        line(box, gate.port, trigger=SENSED, gate_kind=BY_REGISTER)
        with running(box, gate) as run:
            gate.convey(2, 0.1)
            eventually(accounted(box, 2))
            gate.stop()
            gate.parts.append(time.monotonic())  # passes while nobody can know
            time.sleep(0.3)
            beats = len(gate.beats)
            gate.start()
            eventually(lambda: len(gate.beats) > beats + 1)
            gate.convey(2, 0.1)
            eventually(accounted(box, 4))
            run.stop()
        assert audit(box / "loupe-data" / "infeed").triggers == 4, "an input does not count what nobody sees"


def test_on_a_belt_that_changes_its_speed_the_gate_moves_where_the_part_is(box: Path) -> None:
    due_counts, speeds = 200, (1000.0, 400.0, 0.0, 1500.0)
    with plc(belt_at=65_300) as gate:  # the register wraps around on the way
        path = line(box, gate.port)
        path.write_text(
            path.read_text().replace(f"due_s = {DUE_S}", "due_s = 20.0")
            + f'encoder = {{ kind = "modbus", address = "127.0.0.1:{gate.port}", register = {ENCODER}, due_counts = {due_counts} }}\n'
        )
        with running(box, gate) as run:
            for speed in speeds:
                gate.belt.run(speed)
                gate.convey(2, 0.1)
                time.sleep(0.15)
            eventually(accounted(box, 8))
            said = run.stop()

        assert said["infeed"]["outcomes"]["fault"] == said["infeed"]["outcomes"]["timeout"] == 0
        began = [one for one in gate.moved if one.on]
        for passed, moved in zip(gate.passed_at, began, strict=True):
            assert moved.at_count - passed == pytest.approx(due_counts, abs=JITTER_S * max(speeds))
        after_s = [moved.at_s - passed for passed, moved in zip(gate.parts, began, strict=True)]
        assert max(after_s) - min(after_s) > 0.2, "by the clock, they were far apart"
        assert gate.belt.at() > 65_536 + due_counts


def test_check_reaches_the_encoder_too(box: Path) -> None:
    with plc() as gate:
        path = line(box, gate.port)
        encoder = f'encoder = {{ kind = "modbus", address = "127.0.0.1:{gate.port}", register = 900, due_counts = 5 }}'
        path.write_text(path.read_text() + encoder + "\n")
        missed = loupe(box, "edge", "check", "--config", path, "--json")
    errors = {one["what"]: one["error"] for one in json.loads(missed.stdout)["found"]}
    assert errors["encoder"].endswith("read holding register 900: refused with exception 2")
