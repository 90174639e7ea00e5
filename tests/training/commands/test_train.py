"""`loupe train`: what it refuses before a step is taken. That it learns is `test_fit`'s to show."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.certifiable import write_csv
from tests.training.commands.command_line import Ended, Loupe
from tests.training.runs import plates
from training.manifest import Item
from training.run import Run, read_run
from vision.files import held

Train = Callable[..., Ended]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Twelve good and twelve defective training pictures, four of each to calibrate on."""
    folder = tmp_path_factory.mktemp("plates")
    return [*plates(folder, 24), *plates(folder, 8, seed=1, split="val")]


@pytest.fixture
def train(loupe: Loupe, items: list[Item], tmp_path: Path) -> Train:
    """`loupe train` into a folder, on these items or others."""

    def run(*arguments: object, of: list[Item] | None = None, out: str = "run") -> Ended:
        manifest = write_csv(tmp_path / "manifest.csv", of or items)
        return loupe(
            "train", "--data", manifest, "--out", tmp_path / out, "--weights", "none", *arguments, "--json"
        )

    return run


def refused(ended: Ended, kind: str, message: str) -> None:
    assert (ended.code, ended.json["error"]["type"]) == (2, kind)
    assert message in ended.json["error"]["message"]
    assert message in ended.err


def test_a_group_in_two_splits_is_refused(train: Train, items: list[Item], tmp_path: Path) -> None:
    straddling = [replace(items[0], group="module 7"), *items[1:-1], replace(items[-1], group="module 7")]
    refused(
        train(of=straddling),
        "ManifestError",
        "expected each group in one split, found group 'module 7' in train and val (1 such groups)",
    )
    assert not (tmp_path / "run").exists()


def test_a_single_class_is_refused(train: Train, items: list[Item]) -> None:
    good = [item for item in items if item.label == "good"]
    refused(train(of=good), "ManifestError", "expected at least two labels, found 1: good")


def test_an_unknown_good_label_is_refused(train: Train) -> None:
    refused(
        train("--good", "fine"), "ManifestError", "expected --good to be one of defective, good, found 'fine'"
    )


def test_without_a_usual_good_label_it_must_be_named(train: Train, items: list[Item]) -> None:
    renamed = [replace(item, label={"good": "plain"}.get(item.label, item.label)) for item in items]
    refused(train(of=renamed), "ManifestError", "name the label of a good part with --good")


def test_too_few_pictures_to_carve_a_tune_part_are_refused(train: Train, items: list[Item]) -> None:
    few = [items[0], items[1], *items[24:]]
    refused(train(of=few), "ManifestError", "expected every label in the")


def test_a_missing_picture_is_refused(train: Train, items: list[Item]) -> None:
    missing = replace(items[0], path=items[0].path.with_name("gone.png"))
    refused(
        train(of=[missing, *items[1:]]),
        "ManifestError",
        "gone.png: expected a picture, found no file (1 missing in all)",
    )


def test_a_folder_with_other_files_is_refused(train: Train, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("once upon a time")
    refused(train(out="thesis"), "SettingsError", "expected a new or empty folder, found files")
    assert [child.name for child in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


@pytest.mark.torch
def test_another_run_s_folder_is_refused(train: Train, finished: Path, tmp_path: Path) -> None:
    read_run(finished, Run).write(tmp_path / "run")
    refused(train(), "SettingsError", "expected a new folder or the same run, found another run's settings")


def asked_for(items: list[Item], folder: Path) -> Run:
    """The run that `train` asks for."""
    from training.commands.train import plan
    from training.manifest import read_manifest
    from training.recipe import read_recipe

    return plan(
        read_manifest(write_csv(folder / "manifest.csv", items)),
        read_recipe("resnet50"),
        good=None,
        weights="none",
        minutes=None,
        seed=0,
        split_column="split",
    )


def test_a_run_is_trained_by_one_process_at_a_time(train: Train, items: list[Item], tmp_path: Path) -> None:
    asked_for(items, tmp_path).write(tmp_path / "run")
    with held(tmp_path / "run" / ".lock"):
        ended = train()
    assert (ended.code, ended.json["error"]["type"]) == (1, "StorageError")
    assert "run: another process is at work here" in ended.err


def test_a_finished_run_is_not_trained_again(train: Train, items: list[Item], tmp_path: Path) -> None:
    from training.run import Result

    run = asked_for(items, tmp_path)
    result = Result(step=1, steps=1, tune_score=1, tune_loss=0, seconds=1, images_per_s=1, stopped="complete")
    run.model_copy(update={"result": result}).write(tmp_path / "run")
    refused(train(), "SettingsError", "this run is finished; export it, or give another folder")


@pytest.mark.parametrize("recipe", ["resnet5000", "nowhere/own.toml"])
def test_an_unknown_recipe_is_refused(train: Train, tmp_path: Path, recipe: str) -> None:
    refused(
        train("--recipe", recipe),
        "SettingsError",
        f"--recipe: expected one of resnet18, resnet50, resnet50-catalog, resnet50-fine or a .toml file, found '{recipe}'",
    )
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_is_wrong_names_the_field(train: Train, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'backbone = "resnet18"\nstages = [{ until = 1.0, size_px = 64 }]\nspeed = 3\n[preprocess]\nsize_wh = [64, 64]\n'
    )
    refused(train("--recipe", own), "SettingsError", "speed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "line=east"], "expected a column 'line'"),
        (["--split-column", "fold"], "expected a column 'fold'"),
    ],
)
def test_what_does_not_fit_the_manifest_is_refused(train: Train, arguments: list[str], message: str) -> None:
    ended = train(*arguments)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize(
    "arguments", [["--minutes", "0"], ["--epochs", "0"], ["--devices", "0"], ["--seed", "-1"]]
)
def test_numbers_out_of_range_are_a_wrong_usage(train: Train, arguments: list[str]) -> None:
    ended = train(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert arguments[0] in ended.err
