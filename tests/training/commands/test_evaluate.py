"""`loupe evaluate`: the figures of a bundle and of a run, and how often a split was opened."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import FLOAT32, INT8
from tests.training.certifiable import certifiable_bundle, parts, write_csv
from tests.training.commands.command_line import Ended, Loupe
from tests.training.runs import plates
from training.run import Run, read_run

PEOPLE = ("accuracy", "balanced accuracy", "AUROC", "calibration error", "recall of good")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 defective and 12 good test parts, and the calibration parts beside them."""
    folder = tmp_path_factory.mktemp("parts")
    tested = parts(folder / "test", good=12, defective=12, split="test", seed=3000)
    items = [*tested, *parts(folder / "val")]
    return write_csv(
        folder / "manifest.csv", items, camera=["left" if n % 2 else "right" for n in range(len(items))]
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return certifiable_bundle(tmp_path / "plates-1.0.loupe", int8=True).path


def test_opening_a_split_again_for_a_bundle_is_warned_of(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    first, again = (loupe("evaluate", bundle, "--data", manifest, "--json") for _ in range(2))
    assert "warning" not in first.err
    assert "warning: the test split was opened before for this model" in again.err


def test_a_bundle_is_judged_as_it_would_run_at_the_line(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    assert loupe("certify", bundle, "--data", manifest, "--require", "--json").code == 0
    ended = loupe("evaluate", bundle, "--data", manifest, "--json")
    assert ended.code == 0
    found = ended.json
    assert (found["model"], found["file"], found["split"], found["report"]) == (
        str(bundle),
        FLOAT32,
        "test",
        None,
    )
    assert found["accuracy"] == 1
    assert 0.85 < found["accuracy_interval"][0] < found["accuracy_interval"][1] == 1
    assert (found["balanced_accuracy"], found["auroc"]) == (1, 1)
    assert set(found["per_class"]) == {"good", "red", "blue"}
    assert 0 < found["ece"] < 0.05
    assert found["policy"]["escape"] == {
        "value": 0,
        "low": 0,
        "high": pytest.approx(0.2646, abs=1e-4),
        "count": 0,
        "n": 12,
    }
    assert found["policy"]["reasons"]["accept confident"] == 12
    assert set(found["slices"]["camera"]) == {"left", "right"}


def test_an_uncertified_bundle_sends_what_it_cannot_reject_to_review(
    loupe: Loupe, bundle: Path, manifest: Path
) -> None:
    policy = loupe("evaluate", bundle, "--data", manifest, "--json").json["policy"]
    assert (policy["escape"]["count"], policy["false_reject"]["count"], policy["review"]["count"]) == (
        0,
        0,
        24,
    )


def test_people_are_shown_the_figures_that_matter_first(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    ended = loupe("evaluate", bundle, "--data", manifest)
    assert ended.code == 0
    for figure in (*PEOPLE, "escapes", "false rejects", "to review"):
        assert figure in ended.out
    assert "0.858 - 1.000 (24 of 24)" in ended.out


@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_one_file_of_a_bundle_may_be_asked_for(loupe: Loupe, bundle: Path, manifest: Path, file: str) -> None:
    assert loupe("evaluate", bundle, "--data", manifest, "--file", file, "--json").json["file"] == file


def test_a_report_is_written_where_asked(loupe: Loupe, bundle: Path, manifest: Path, tmp_path: Path) -> None:
    report = tmp_path / "reports[old]" / "plates.html"
    ended = loupe("evaluate", bundle, "--data", manifest, "--report", report, "--json")
    assert (ended.code, ended.json["report"]) == (0, str(report))
    assert report.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    people = loupe("evaluate", bundle, "--data", manifest, "--report", report)
    assert "reports[old]" in people.out


def test_slices_may_be_chosen(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    ended = loupe("evaluate", bundle, "--data", manifest, "--slice-by", "label", "--json")
    assert set(ended.json["slices"]) == {"label"}
    assert set(ended.json["slices"]["label"]) == {"good", "red", "blue"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "train"], "expected rows with split 'train', found splits: test, val"),
        (["--file", "model.fp4.onnx"], "expected a file 'model.fp4.onnx'"),
        (["--slice-by", "kamera"], "expected a column of the manifest, found 'kamera'"),
        (["--where", "camera=none"], "expected at least one picture"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(
    loupe: Loupe, bundle: Path, manifest: Path, arguments: list[str], message: str
) -> None:
    ended = loupe("evaluate", bundle, "--data", manifest, *arguments, "--json")
    assert ended.code == 2
    assert message in ended.json["error"]["message"]
    assert message in ended.err


def test_a_label_the_bundle_does_not_know_ends_with_2(loupe: Loupe, bundle: Path, tmp_path: Path) -> None:
    manifest = write_csv(tmp_path / "plates.csv", plates(tmp_path / "plates", 4, split="test"))
    ended = loupe("evaluate", bundle, "--data", manifest)
    assert ended.code == 2
    assert "expected the model's labels good, red, blue, found 'defective'" in ended.err


def test_a_folder_that_is_neither_a_run_nor_a_bundle_ends_with_2(
    loupe: Loupe, manifest: Path, tmp_path: Path
) -> None:
    ended = loupe("evaluate", tmp_path, "--data", manifest, "--json")
    assert (ended.code, ended.json["error"]["type"]) == (2, "BundleError")


# --- runs


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run of one's own."""
    folder = tmp_path / "run"
    folder.mkdir()
    read_run(finished, Run).write(folder)
    (folder / "model.safetensors").symlink_to(finished / "model.safetensors")
    return folder


Evaluate = Callable[..., Ended]


@pytest.fixture
def evaluate(loupe: Loupe, run: Path, tmp_path: Path) -> Evaluate:
    """`loupe evaluate` of that run on test and val pictures."""
    items = [
        *plates(tmp_path / "pictures", 8, seed=5, split="test"),
        *plates(tmp_path / "pictures", 4, split="val"),
    ]
    manifest = write_csv(tmp_path / "manifest.csv", items)
    return lambda *arguments: loupe("evaluate", run, "--data", manifest, *arguments, "--json")


@pytest.mark.torch
def test_a_run_is_judged_in_torch_without_thresholds(evaluate: Evaluate) -> None:
    ended = evaluate()
    assert ended.code == 0
    assert (ended.json["file"], ended.json["policy"]) == (None, None)
    assert ended.json["auroc"] == 1


@pytest.mark.torch
def test_opening_a_split_again_is_warned_of(evaluate: Evaluate) -> None:
    first, other, again = evaluate(), evaluate("--split", "val"), evaluate()
    assert "warning" not in first.err + other.err
    assert "warning: the test split was opened before for this model" in again.err


@pytest.mark.torch
def test_a_torn_line_in_the_log_of_openings_is_passed_over(evaluate: Evaluate, run: Path) -> None:
    evaluate()
    with (run / "openings.jsonl").open("a") as log:
        log.write('{"model": "run", "spl')
    again = evaluate()
    assert again.code == 0
    assert "warning: the test split was opened before for this model" in again.err
    assert len((run / "openings.jsonl").read_text().splitlines()) == 3


@pytest.mark.torch
def test_an_attempt_that_showed_nothing_is_no_opening(evaluate: Evaluate, run: Path) -> None:
    assert evaluate("--slice-by", "kamera").code == 2
    assert evaluate("--where", "label=none").code == 2
    assert not (run / "openings.jsonl").exists()
    assert evaluate().code == 0
    (noted,) = (run / "openings.jsonl").read_text().splitlines()
    assert json.loads(noted)["split"] == "test"


@pytest.mark.torch
def test_an_opening_that_cannot_be_noted_shows_nothing(evaluate: Evaluate, run: Path) -> None:
    (run / "openings.jsonl").mkdir()
    ended = evaluate()
    assert (ended.code, ended.json["error"]["type"]) == (1, "StorageError")
    assert "openings.jsonl: cannot be written" in ended.err


@pytest.mark.torch
def test_a_run_has_no_files_to_choose_from(evaluate: Evaluate, run: Path) -> None:
    ended = evaluate("--file", FLOAT32)
    assert (ended.code, ended.json["error"]["type"]) == (2, "SettingsError")
    assert "--file model.onnx: expected a bundle, found the run" in ended.err
    assert not (run / "openings.jsonl").exists()


@pytest.mark.torch
def test_a_run_may_be_reported_on_too(evaluate: Evaluate, tmp_path: Path) -> None:
    assert evaluate("--report", tmp_path / "run.html").code == 0
    assert (tmp_path / "run.html").stat().st_size > 10_000


@pytest.mark.torch
def test_an_unfinished_run_cannot_be_judged(evaluate: Evaluate, run: Path) -> None:
    read_run(run, Run).model_copy(update={"result": None}).write(run)
    ended = evaluate()
    assert (ended.code, ended.json["error"]["type"]) == (2, "SettingsError")
    assert not (run / "openings.jsonl").exists()
