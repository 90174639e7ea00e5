"""A line killed with -9 at every step beside a conveyor that does not stop. `benchmarks/edge_durability.py` does it a thousand times."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from edge.parts import Step
from edge.rig.kills import ON_THE_WAY, conveyor, kill_at, last_life
from edge.rig.plc import COUNTER, HEARTBEAT, plc
from tests.bundles import part
from vision.image import encode_png

pytestmark = pytest.mark.slow


def test_whatever_step_is_cut_short_no_part_is_lost_and_no_verdict_is_without_its_pulse(
    tmp_path: Path,
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.png").write_bytes(encode_png(part(1)))
    config, station = tmp_path / "line.toml", tmp_path / "loupe-data" / "line"
    interrupted: Counter[Step] = Counter()
    with plc() as gate:
        address = f"127.0.0.1:{gate.port}"
        config.write_text(
            f"""
            [[station]]
            name = "line"
            bundle = "none.loupe"
            due_s = 0.15
            late_s = 0.1
            trigger = {{ kind = "modbus", address = "{address}", register = {COUNTER} }}
            camera = {{ kind = "folder", folder = "parts", again = true }}
            actuator = {{ kind = "modbus", address = "{address}", coils = {{ accept = 0, reject = 1, review = 2 }}, heartbeat = {HEARTBEAT} }}
            """
        )
        last_life(config, station, gate, stand_in=True)
        with conveyor(gate, 0.03):
            for number, step in enumerate(tuple(Step) * 2):
                interrupted += kill_at(config, step, chance=Random(number), stand_in=True)  # noqa: S311  (no secret)
        account = last_life(config, station, gate, stand_in=True)

    assert account.lost == 0
    assert account.audit.missing == 0
    assert account.contradictions == ()
    assert interrupted.keys() <= set(ON_THE_WAY)
    assert interrupted.total() >= 12, "parts were on their way"
