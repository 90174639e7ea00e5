"""`loupe qualify`: what is fastest here is measured, shown and remembered."""

from pathlib import Path

from tests.bundles import FLOAT32, INT8, make_bundle, manifest, part
from tests.vision.commands.conftest import Loupe
from vision.image import encode_png
from vision.machine import this_machine
from vision.qualify import eligible


def test_what_was_measured_is_said_and_what_was_chosen_is_run(tmp_path: Path, loupe: Loupe) -> None:
    bundle = make_bundle(tmp_path / "plates", int8=True)
    said = loupe("qualify", bundle.path, "--runs", "3", "--json")
    assert said.code == 0
    files, refused = eligible(bundle, this_machine())
    assert {one["choice"]["file"] for one in said.json["candidates"]} == set(files)
    assert said.json["refused"] == refused
    assert said.json["bundle_digest"] == bundle.digest()
    assert said.err == ""
    (tmp_path / "part.png").write_bytes(encode_png(part()))
    inspected = loupe("inspect", bundle.path, tmp_path / "part.png", "--json")
    assert inspected.json["model"] == said.json["choice"]


def test_people_see_a_table_with_the_choice_marked(tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("qualify", make_bundle(tmp_path / "plates").path, "--runs", "3")
    assert said.code == 0
    assert this_machine().cpu in said.out
    assert said.out.count(f"{FLOAT32} *") == 1


def test_a_file_without_a_guard_is_not_measured_and_that_is_said(tmp_path: Path, loupe: Loupe) -> None:
    models = manifest((FLOAT32, INT8)).models
    models = models | {INT8: models[INT8].model_copy(update={"guard": None})}
    said = loupe("qualify", make_bundle(tmp_path / "plates", int8=True, models=models).path, "--runs", "3")
    assert f"{INT8}: not measured, its accuracy guard was not passed" in said.out


def test_a_cache_that_cannot_be_written_ends_with_1(tmp_path: Path, loupe: Loupe) -> None:
    (tmp_path / "cache").touch()
    said = loupe("qualify", make_bundle(tmp_path / "plates").path, "--runs", "3", "--json")
    assert said.code == 1
    assert said.json["error"]["type"] == "StorageError"


def test_a_damaged_bundle_ends_with_2(tmp_path: Path, loupe: Loupe) -> None:
    bundle = make_bundle(tmp_path / "plates")
    (bundle.path / FLOAT32).unlink()
    said = loupe("qualify", bundle.path, "--json")
    assert said.code == 2
    assert f"expected a file '{FLOAT32}', found none" in said.json["error"]["message"]
