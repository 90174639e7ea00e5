"""`loupe imagery train-scenes`: what it says and what it refuses; that it learns is `tests.training.scenes`' to show."""

from pathlib import Path

import pytest

from tests.training.commands.command_line import Loupe

pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")

pytestmark = pytest.mark.torch
COMMAND = (
    "imagery",
    "train-scenes",
    "--steps",
    "2",
    "--scenes",
    "64",
    "--batch-size",
    "2",
    "--json",
    "--out",
)


def test_it_trains_tells_and_does_not_train_a_finished_run_again(loupe: Loupe, tmp_path: Path) -> None:
    ended = loupe(*COMMAND, tmp_path / "run")
    again = loupe(*COMMAND, tmp_path / "run")
    other = loupe(*COMMAND, tmp_path / "run", "--seed", "1")

    assert ended.code == 0
    assert ended.json["steps"] == 2
    assert (tmp_path / "run" / "model" / "model_index.json").exists()
    assert again.code == other.code == 2
    assert "this run is finished; give another folder" in again.json["error"]["message"]
    assert "found another run's settings" in other.json["error"]["message"]


def test_without_a_folder_it_trains_in_one_called_scenes_run(
    loupe: Loupe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert loupe(*COMMAND[:-1]).json["model"] == "scenes-run/model"
    assert (tmp_path / "scenes-run" / "model" / "model_index.json").exists()


def test_a_folder_with_other_files_is_left_alone(loupe: Loupe, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    ended = loupe(*COMMAND, tmp_path)

    assert ended.code == 2
    assert "expected a new or empty folder, found files" in ended.json["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
