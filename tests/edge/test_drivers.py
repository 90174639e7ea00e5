"""Every kind of device that `line.toml` knows has a driver, and one whose library is missing says how to get it."""

import sys
from pathlib import Path
from typing import Final

import pytest

from edge.drivers import devices_of
from edge.line import StationTable, read_line
from vision.errors import MissingExtraError, SettingsError

COUNTER: Final = '{ kind = "modbus", address = "127.0.0.1:1", register = 0 }'
JOURNAL: Final = '{ kind = "journal", path = "gate.jsonl" }'
TRIGGERS: Final = (
    COUNTER,
    '{ kind = "timer", period_s = 1 }',
    '{ kind = "modbus_input", address = "127.0.0.1:1", input = 3, edge = "falling", stable_s = 0.01 }',
    '{ kind = "gpio", line = 17, edge = "falling", bias = "up", active_low = true, stable_s = 0.002 }',
    '{ kind = "gpio", chip = "/dev/gpiochip2", line = "SENSOR" }',
)
GATES: Final = (
    JOURNAL,
    '{ kind = "modbus", address = "127.0.0.1:1", coils = { accept = 0 }, heartbeat = 1 }',
    '{ kind = "modbus_register", address = "127.0.0.1:1", register = 2, values = { accept = 7 }, rest = 9, heartbeat = 1 }',
    '{ kind = "mqtt", broker = "127.0.0.1:1", topic = "a/b", heartbeat = "a/c", retain = true, user = "u", password_file = "p", ca = "c" }',
    '{ kind = "gpio", lines = { accept = 4, review = "LANE" }, heartbeat = 5, active_low = true }',
)
RECIPES: Final = (
    '{ kind = "modbus", address = "127.0.0.1:1", register = 11, table = "input" }',
    '{ kind = "mqtt", broker = "127.0.0.1:1", topic = "a/product", user = "u", password_file = "p", ca = "c" }',
    '{ kind = "operator" }',
)
ENCODER: Final = '{ kind = "modbus", address = "127.0.0.1:1", register = 4, words = 2, due_counts = 100000 }'


def station(
    folder: Path,
    *,
    trigger: str = COUNTER,
    actuator: str = JOURNAL,
    recipe: str | None = None,
    more: str = "",
) -> StationTable:
    path = folder / "line.toml"
    models = (
        'bundle = "none.loupe"'
        if recipe is None
        else f'changeover = {{ source = {recipe}, recipe = [{{ code = 1, bundle = "none.loupe" }}] }}'
    )
    path.write_text(
        f"""
        [[station]]
        name = "one"
        {models}
        due_s = 1
        trigger = {trigger}
        camera = {{ kind = "folder", folder = "parts" }}
        actuator = {actuator}
        {more}
        """
    )
    return read_line(path).station[0]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_each_kind_of_trigger_has_a_driver(tmp_path: Path, trigger: str) -> None:
    assert devices_of(station(tmp_path, trigger=trigger), tmp_path).trigger is not None


@pytest.mark.parametrize("actuator", GATES)
def test_each_kind_of_gate_has_a_driver(tmp_path: Path, actuator: str) -> None:
    assert devices_of(station(tmp_path, actuator=actuator), tmp_path).actuator is not None


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_way_to_say_which_product_runs_has_a_driver(tmp_path: Path, recipe: str) -> None:
    assert devices_of(station(tmp_path, recipe=recipe), tmp_path).recipe is not None


def test_an_encoder_has_a_driver_and_its_register_wraps_around(tmp_path: Path) -> None:
    encoder = devices_of(station(tmp_path, more=f"encoder = {ENCODER}"), tmp_path).encoder
    assert encoder is not None
    assert encoder.modulo == 2**32


def test_files_that_a_broker_needs_lie_beside_the_lines_file(tmp_path: Path) -> None:
    table = station(tmp_path, actuator=GATES[3], recipe=RECIPES[1])
    assert table.changeover is not None
    for one in (table.actuator, table.changeover.source):
        assert one.kind == "mqtt"
        assert (one.password_file, one.ca) == (tmp_path / "p", tmp_path / "c")


@pytest.mark.parametrize(
    ("extra", "library", "modules", "devices"),
    [
        ("mqtt", "paho.mqtt.client", ("edge.mqtt", "edge.actuators.mqtt"), {"actuator": GATES[3]}),
        ("mqtt", "paho.mqtt.client", ("edge.mqtt", "edge.recipes.mqtt"), {"recipe": RECIPES[1]}),
        ("gpio", "gpiod", ("edge.gpio",), {"actuator": GATES[4]}),
        ("gpio", "gpiod", ("edge.gpio",), {"trigger": TRIGGERS[3]}),
    ],
)
def test_a_driver_whose_library_is_missing_says_how_to_get_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extra: str,
    library: str,
    modules: tuple[str, ...],
    devices: dict[str, str],
) -> None:
    table = station(tmp_path, **devices)
    monkeypatch.setitem(sys.modules, library, None)
    for module in modules:
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(MissingExtraError, match=rf"loupe\[{extra}\]"):
        devices_of(table, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"more": f"encoder = {ENCODER.replace('words = 2, ', '')}"}, "due_counts: expected at most 32767, half of what 1 words count, found 100000"),
        ({"actuator": GATES[1].replace("= 0", "= 70000")}, "station.0.actuator.modbus.coils.accept: input should be less than or equal to 65535"),
        ({"actuator": GATES[1].replace("accept = 0", "")}, "station.0.actuator.modbus.coils: "),
        ({"actuator": GATES[1].replace(", heartbeat = 1", "")}, "heartbeat: expected a register that the PLC watches"),
        ({"actuator": GATES[1].replace("accept = 0", "reject = 1").replace(", heartbeat = 1", "")}, "heartbeat: expected a register that the PLC watches"),
        ({"actuator": GATES[2].replace(", heartbeat = 1", "")}, "heartbeat: expected a register that the PLC watches"),
        ({"actuator": GATES[2].replace("accept = 7", "accept = 1, reject = 1").replace("rest = 9", "rest = 0")}, "values: expected values that differ from each other and from rest, 0, found [1, 1]"),
        ({"actuator": GATES[2].replace("accept = 7", "accept = 9")}, "values: expected values that differ from each other and from rest, 9, found [9]"),
        ({"actuator": GATES[4].replace(", heartbeat = 5", "")}, "heartbeat: expected a line that a watchdog relay watches"),
        ({"actuator": GATES[4].replace("heartbeat = 5", "heartbeat = 4")}, "lines: expected lines that differ"),
        ({"actuator": GATES[2].replace("heartbeat = 1", "heartbeat = 2")}, "heartbeat: expected another register"),
        ({"actuator": GATES[3].replace('"a/c"', '"a/b"')}, "heartbeat: expected another topic"),
        ({"actuator": GATES[3].replace('"a/b"', '"a/#"')}, "actuator.mqtt.topic"),
        ({"actuator": GATES[3].replace('user = "u", ', "")}, "user: expected whose password password_file holds"),
        ({"recipe": RECIPES[1].replace("product", "+")}, "changeover.source.mqtt.topic"),
        ({"recipe": RECIPES[1].replace('user = "u", ', "")}, "user: expected whose password password_file holds"),
    ],
)  # fmt: skip
def test_a_table_under_which_a_gate_would_not_be_safe_is_refused(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        station(tmp_path, **wrong)
    assert said in str(refused.value)
