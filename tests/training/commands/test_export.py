"""`loupe export`: one object on stdout, a bundle on the disk, and what it refuses."""

from pathlib import Path

import pytest

from tests.training.commands.command_line import Loupe
from training.run import Run, read_run
from vision.bundle import open_bundle

pytestmark = pytest.mark.torch


def test_a_finished_run_becomes_one_file(loupe: Loupe, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "plates-3.0.loupe"
    ended = loupe(
        "export", finished, "--out", out, "--int8", "--name", "plates", "--model-version", "3.0", "--json"
    )
    assert ended.code == 0
    manifest = open_bundle(out).manifest
    assert (manifest.name, manifest.version) == ("plates", "3.0")
    assert ended.json["bundle"] == str(out)
    assert ended.json["files"] == {name: entry.bytes for name, entry in manifest.files.items()}
    assert ended.json["parity"]["label_disagreements"] == 0
    assert ended.json["guard"]["pictures"] == 20
    assert ended.json["int8"] == "packed"
    assert "quantising to int8" in ended.err


def test_people_are_shown_the_figures_and_the_next_command(
    loupe: Loupe, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cells[old]"
    ended = loupe("export", finished, "--out", out)
    assert ended.code == 0
    assert "20 pictures: largest logit difference" in ended.out
    assert "not asked for" in ended.out
    assert f"next: loupe certify {out} --data MANIFEST" in ended.out.replace("\n", " ").replace("  ", " ")


def test_an_unfinished_run_ends_with_2(loupe: Loupe, finished: Path, tmp_path: Path) -> None:
    read_run(finished, Run).model_copy(update={"result": None}).write(tmp_path / "run")
    ended = loupe("export", tmp_path / "run", "--out", tmp_path / "bundle", "--json")
    assert (ended.code, ended.json["error"]["type"]) == (2, "SettingsError")
    assert "expected a finished run, found one that can be resumed with loupe train" in ended.err
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_no_run_ends_with_2(loupe: Loupe, tmp_path: Path) -> None:
    ended = loupe("export", tmp_path, "--out", tmp_path / "bundle")
    assert (ended.code, ended.out) == (2, "")
    assert "expected a training run with run.json, found none" in ended.err


def test_without_a_place_for_the_bundle_the_usage_is_wrong(loupe: Loupe, finished: Path) -> None:
    ended = loupe("export", finished)
    assert ended.code == 2
    assert "--out" in ended.err
