"""`loupe edge run` with a gate that listens to a broker: real processes, a real mosquitto, a simulated PLC that counts the parts."""

from pathlib import Path

import pytest

from edge.ledger import Outcome, audit
from edge.rig.plc import COUNTER, plc
from tests.e2e.serving import eventually
from tests.e2e.test_edge_line import DUE_S, SEEN, accounted, loupe, running
from tests.edge.brokers import NEEDS_MOSQUITTO, Listener, broker, listening

pytestmark = [pytest.mark.slow, NEEDS_MOSQUITTO]


def line(box: Path, plc_port: int, broker_port: int, more: str = "") -> Path:
    path = box / "line.toml"
    path.write_text(
        f"""
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = {DUE_S}
        late_s = 0.1
        trigger = {{ kind = "modbus", address = "127.0.0.1:{plc_port}", register = {COUNTER} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ kind = "mqtt", broker = "127.0.0.1:{broker_port}", topic = "line/infeed" {more} }}
        """
    )
    return path


def lives(listener: Listener) -> bool:
    return "running" in listener.states


def test_decisions_arrive_and_the_end_is_told(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one, listening(one.port) as listener:
        line(box, gate.port, one.port)
        with running(box, gate, watched=False) as station:
            listener.until(lives)
            gate.convey(6, 0.1)
            eventually(accounted(box, 6))
            said = station.stop()
        listener.until(lambda heard: heard.states[-1:] == ["ended"])
    assert listener.decisions == [None, *SEEN, *SEEN, None]
    assert {one.topic for one in listener.heard} == {"line/infeed", "line/infeed/alive"}
    assert said["infeed"]["outcomes"]["fault"] == said["infeed"]["outcomes"]["timeout"] == 0


def test_after_kill_9_of_the_box_the_broker_tells_who_listens(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one, listening(one.port) as listener:
        line(box, gate.port, one.port)
        with running(box, gate, watched=False) as station:
            listener.until(lives)
            station.kill()
        listener.until(lambda heard: heard.states[-1:] == ["lost"])
        with listening(one.port) as later:
            later.until(lambda heard: heard.states == ["lost"])


def test_parts_are_faults_while_the_broker_is_gone_and_then_it_goes_on(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one:
        line(box, gate.port, one.port)
        with running(box, gate, watched=False) as station:
            with listening(one.port) as listener:
                listener.until(lives)
            gate.convey(3, 0.1)
            eventually(accounted(box, 3))
            one.kill()
            gate.convey(3, 0.1)
            eventually(accounted(box, 6))
            one.start()
            with listening(one.port) as listener:
                listener.until(lives)
                gate.convey(3, 0.1)
                eventually(accounted(box, 9))
                said = station.stop()
                listener.until(lambda heard: heard.states[-1:] == ["ended"])
    outcomes = said["infeed"]["outcomes"]
    assert outcomes["fault"] == 3
    assert sum(outcomes[one] for one in SEEN) == 6
    assert [one for one in listener.decisions if one] == list(SEEN), "none of the three is told later"
    assert audit(box / "loupe-data" / "infeed").outcomes[Outcome.FAULT] == 3


@pytest.mark.parametrize(("shown", "let_in"), [("right", True), ("wrong", False)])
def test_check_says_whether_the_broker_lets_the_box_in(
    box: Path, tmp_path: Path, shown: str, let_in: bool
) -> None:
    (box / "broker.password").write_text(shown)
    with plc() as gate, broker(tmp_path, users={"infeed": "right"}) as one:
        path = line(box, gate.port, one.port, ', user = "infeed", password_file = "broker.password"')
        checked = loupe(box, "edge", "check", "--config", path)
    assert checked.returncode == (0 if let_in else 1), checked.stdout
    assert ("refused: Not authorized" in checked.stdout.replace("\n", " ")) is not let_in
