"""The fastest file that may run here is found once and remembered; int8 has to earn its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.bundles import FLOAT32, INT8, make_bundle, manifest
from vision.bundle import Bundle
from vision.errors import BundleError, StorageError
from vision.machine import Machine, this_machine
from vision.qualify import Choice, choose, eligible, qualify
from vision.settings import Settings

WITH_VNNI: Final = Machine(cpu="Example 9000", flags=frozenset({"avx512_vnni"}), cores=4)
WITHOUT_VNNI: Final = Machine(cpu="Example 8000", flags=frozenset({"avx2"}), cores=4)
BEFORE: Final = Choice(file=FLOAT32, threads=this_machine().cores)


@pytest.fixture
def both(tmp_path: Path) -> Bundle:
    """A bundle with a float32 and an int8 file."""
    return make_bundle(tmp_path / "plates", int8=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


def without_guard(path: Path, *names: str) -> Bundle:
    models = {name: entry for name, entry in manifest((FLOAT32, INT8)).models.items() if name in names}
    models[INT8] = models[INT8].model_copy(update={"guard": None})
    return make_bundle(path, int8=True, models=models)


def note(settings: Settings) -> Path:
    (found,) = (settings.cache_dir / "qualified").iterdir()
    return found


def test_int8_may_run_where_it_was_guarded_and_the_processor_has_vnni(both: Bundle) -> None:
    assert eligible(both, WITH_VNNI) == ([FLOAT32, INT8], {})


def test_int8_may_not_run_without_vnni(both: Bundle) -> None:
    refused = {INT8: "this processor has no VNNI-class instructions"}
    assert eligible(both, WITHOUT_VNNI) == ([FLOAT32], refused)


@pytest.mark.parametrize("machine", [WITH_VNNI, WITHOUT_VNNI])
def test_int8_may_not_run_without_a_guard(machine: Machine, tmp_path: Path) -> None:
    bundle = without_guard(tmp_path / "plates", FLOAT32, INT8)
    assert eligible(bundle, machine) == ([FLOAT32], {INT8: "its accuracy guard was not passed"})


def test_where_no_file_may_run_that_is_said(tmp_path: Path, settings: Settings) -> None:
    bundle = without_guard(tmp_path / "plates", INT8)
    reason = r"found none \(model\.int8\.onnx: its accuracy guard was not passed\)"
    with pytest.raises(BundleError, match=reason):
        qualify(bundle, settings=settings, runs=3)
    with pytest.raises(BundleError, match=reason):
        choose(bundle, settings=settings)


def test_every_candidate_is_measured_and_the_fastest_is_remembered(both: Bundle, settings: Settings) -> None:
    assert choose(both, settings=settings) == BEFORE
    rounds: list[int] = []
    found = qualify(both, settings=settings, runs=5, advance=rounds.append)
    files, refused = eligible(both, this_machine())
    threads = {1, this_machine().cores}
    assert rounds == [1] * 5
    assert {(one.choice.file, one.choice.threads) for one in found.candidates} == {
        (file, count) for file in files for count in threads
    }
    assert found.refused == refused
    assert found.bundle_digest == both.digest()
    assert all(0 < one.median_ms <= one.p99_ms for one in found.candidates)
    fastest = min(found.candidates, key=lambda one: one.median_ms)
    assert found.choice == fastest.choice == choose(both, settings=settings)


def test_the_choice_is_remembered_for_this_bundle_alone(
    both: Bundle, tmp_path: Path, settings: Settings
) -> None:
    qualify(both, settings=settings, runs=3)
    remembered = json.loads(note(settings).read_text()) | {"choice": {"file": FLOAT32, "threads": 77}}
    note(settings).write_text(json.dumps(remembered))
    assert choose(both, settings=settings) == Choice(file=FLOAT32, threads=77)
    other = make_bundle(tmp_path / "other", int8=True, version="2.0")
    assert choose(other, settings=settings) == BEFORE


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-20],
        lambda text: "\udcff",
        lambda text: text.replace('"threads":', '"fingers":'),
        lambda text: json.dumps(json.loads(text) | {"choice": {"file": "absent.onnx", "threads": 1}}),
        lambda text: json.dumps(json.loads(text) | {"choice": {"file": FLOAT32, "threads": 0}}),
        lambda text: json.dumps(json.loads(text) | {"choice": {"file": FLOAT32, "threads": -3}}),
    ],
    ids=["empty", "cut", "no text", "other field", "no such file", "no threads", "negative threads"],
)
def test_a_note_that_makes_no_sense_is_as_good_as_none(
    damage: Callable[[str], str], both: Bundle, settings: Settings
) -> None:
    qualify(both, settings=settings, runs=3)
    note(settings).write_text(damage(note(settings).read_text()), errors="surrogateescape")
    assert choose(both, settings=settings) == BEFORE


def test_a_note_that_int8_may_not_run_by_any_more_is_not_followed(tmp_path: Path, settings: Settings) -> None:
    bundle = without_guard(tmp_path / "plates", FLOAT32, INT8)
    qualify(bundle, settings=settings, runs=3)
    remembered = json.loads(note(settings).read_text()) | {"choice": {"file": INT8, "threads": 1}}
    note(settings).write_text(json.dumps(remembered))
    assert choose(bundle, settings=settings) == BEFORE


def test_the_cache_folder_is_the_one_in_the_environment(
    both: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "elsewhere"))
    found = qualify(both, runs=3)
    assert [path.suffix for path in (tmp_path / "elsewhere" / "qualified").iterdir()] == [".json"]
    assert choose(both) == found.choice


def test_a_cache_folder_that_cannot_be_written_is_a_storage_error(both: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        qualify(both, settings=Settings(cache_dir=tmp_path / "file"), runs=3)
    assert choose(both, settings=Settings(cache_dir=tmp_path / "file")) == BEFORE


def test_a_choice_has_at_least_one_thread() -> None:
    given: dict[str, Any] = {"file": FLOAT32, "threads": 0}
    with pytest.raises(ValueError, match="threads"):
        Choice(**given)
