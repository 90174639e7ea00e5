"""`loupe edge run` with a broker, which tells of decisions and says which product runs: real processes, a real mosquitto, a simulated PLC that counts the parts."""

from pathlib import Path
from typing import Final

import pytest

from edge.ledger import Outcome, audit
from edge.rig.plc import COUNTER, plc
from tests.e2e.lines import accounted, loupe, running
from tests.e2e.serving import eventually
from tests.e2e.test_edge_line import DUE_S, SEEN, products
from tests.e2e.test_edge_line import line as beside_a_plc
from tests.edge.brokers import NEEDS_MOSQUITTO, Listener, broker, listening, say
from tests.edge.test_ledger import rows

pytestmark = [pytest.mark.slow, NEEDS_MOSQUITTO]
PRODUCT: Final = "line/product"


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
        with running(box, gate, watched=False) as run:
            listener.until(lives)
            gate.convey(6, 0.1)
            eventually(accounted(box, 6))
            said = run.stop()
        listener.until(lambda heard: heard.states[-1:] == ["ended"])
    assert listener.decisions == [None, *SEEN, *SEEN, None]
    assert {one.topic for one in listener.heard} == {"line/infeed", "line/infeed/alive"}
    assert said["infeed"]["outcomes"]["fault"] == said["infeed"]["outcomes"]["timeout"] == 0


def test_after_kill_9_of_the_box_the_broker_tells_who_listens(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one, listening(one.port) as listener:
        line(box, gate.port, one.port)
        with running(box, gate, watched=False) as run:
            listener.until(lives)
            run.kill()
        listener.until(lambda heard: heard.states[-1:] == ["lost"])
        with listening(one.port) as later:
            later.until(lambda heard: heard.states == ["lost"])


def test_parts_are_faults_while_the_broker_is_gone_and_then_it_goes_on(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one:
        line(box, gate.port, one.port)
        with running(box, gate, watched=False) as run:
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
                said = run.stop()
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


def told_by(port: int) -> str:
    """The products' source in `line.toml`."""
    return f'{{ kind = "mqtt", broker = "127.0.0.1:{port}", topic = "{PRODUCT}" }}'


def test_a_topic_says_which_product_runs(box: Path, tmp_path: Path) -> None:
    with plc() as gate, broker(tmp_path) as one, listening(one.port, "line/infeed/#") as listener:
        path = line(box, gate.port, one.port)
        products(path, told_by(one.port))
        unsaid = loupe(box, "edge", "check", "--config", path)
        assert unsaid.returncode == 1
        assert f"{PRODUCT}: expected a retained message" in " ".join(unsaid.stdout.split())
        say(one.port, PRODUCT, 1)
        assert loupe(box, "edge", "check", "--config", path).returncode == 0

        with running(box, gate, watched=False) as run:
            for parts, said in ((3, 1), (6, 2), (7, "halfcells")):
                say(one.port, PRODUCT, said)
                gate.convey(parts - len(gate.parts), 0.1)
                eventually(accounted(box, parts))
            outcomes = run.stop()["infeed"]["outcomes"]
    assert outcomes == {"accept": 1, "reject": 1, "review": 4, "timeout": 0, "fault": 1}
    assert [one for one in listener.decisions if one] == [*SEEN, "review", "review", "review", "reject"]
    ((reason, detail),) = rows(box / "loupe-data" / "infeed", "reason, detail")[6:]
    assert reason == "recipe"
    assert f"{PRODUCT}: expected a recipe's code" in str(detail)
    assert "'halfcells'" in str(detail)


def test_while_the_broker_is_gone_nobody_knows_which_product_runs(box: Path, tmp_path: Path) -> None:
    ledger = box / "loupe-data" / "infeed"
    with plc() as gate, broker(tmp_path) as one:
        products(beside_a_plc(box, gate.port), told_by(one.port))
        say(one.port, PRODUCT, 1)
        with running(box, gate) as run:
            gate.convey(3, 0.1)
            eventually(accounted(box, 3))
            one.kill()
            gate.convey(3, 0.1)
            eventually(accounted(box, 6))
            one.start()
            say(one.port, PRODUCT, 2)

            def judged_again() -> bool:
                gate.part()
                eventually(accounted(box, len(gate.parts)))
                return audit(ledger).outcomes[Outcome.REVIEW] == 2

            eventually(judged_again)
            run.stop()
    without = len(gate.parts) - 4
    assert without >= 3
    assert rows(ledger, "outcome, reason")[3:-1] == [("fault", "recipe")] * without
    assert [decision for _, decision in gate.gate()] == [*SEEN, *["reject"] * without, "review"]
