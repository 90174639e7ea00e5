"""`[view]` of a line's file."""

from pathlib import Path

import pytest

from edge.line import read_line
from vision.errors import SettingsError

STATION = """
[[station]]
name = "infeed"
bundle = "plates.loupe"
due_s = 0.25
trigger = { kind = "timer", period_s = 0.2 }
camera = { kind = "folder", folder = "parts" }
actuator = { kind = "journal", path = "gate.jsonl" }
"""


def line(folder: Path, view: str) -> Path:
    path = folder / "line.toml"
    path.write_text(view + STATION)
    return path


def test_without_a_table_there_is_no_view(tmp_path: Path) -> None:
    assert read_line(line(tmp_path, "")).view is None


@pytest.mark.parametrize("address", ["127.0.0.1:8090", "localhost:0", "[::1]:8090"])
def test_it_listens_to_this_machine(tmp_path: Path, address: str) -> None:
    view = read_line(line(tmp_path, f'[view]\nlisten = "{address}"\n')).view
    assert view is not None
    assert str(view.listen) == address


@pytest.mark.parametrize(
    "address", [":8090", "0.0.0.0:8090", "192.168.0.7:8090", "box.example:8090", "unix:/run/view"]
)
def test_others_are_refused_with_the_reason(tmp_path: Path, address: str) -> None:
    with pytest.raises(
        SettingsError, match=r"line\.toml: view\.listen: expected a loopback address .* neither logins"
    ):
        read_line(line(tmp_path, f'[view]\nlisten = "{address}"\n'))
