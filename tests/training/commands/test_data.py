"""`loupe data check`: 0 for a clean set, 1 for a leak, 2 for what cannot be checked."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.certifiable import write_csv
from tests.training.commands.command_line import Loupe
from training.manifest import Item
from vision.image import Pixels, encode_png


def textured(seed: int) -> Pixels:
    """uint8 (96, 96, 3): clouds, no two alike."""
    noise = np.random.default_rng(seed).normal(128, 400, (96, 96))
    clouds = np.clip(cv2.GaussianBlur(noise, (0, 0), 5), 0, 255).astype(np.uint8)
    return np.dstack([clouds] * 3)


def pictures(folder: Path, labels: Iterable[str] = ("good", "crack")) -> list[Item]:
    """Four pictures of each label in each split, each standing alone."""
    folder.mkdir(parents=True, exist_ok=True)
    places = [(split, label) for split in ("train", "val", "test") for label in labels] * 4
    items = []
    for seed, (split, label) in enumerate(places):
        path = folder / f"{seed:02}.png"
        path.write_bytes(encode_png(textured(seed)))
        items.append(Item(path=path, label=label, split=split, group=path.stem, columns={}))
    return items


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    return pictures(tmp_path / "pictures")


def leaking(items: list[Item]) -> list[Item]:
    """A training picture under another name in the test split."""
    copied = items[0].path.with_name("copy.png")
    copied.write_bytes(items[0].path.read_bytes())
    return [*items, Item(path=copied, label=items[0].label, split="test", group="copy", columns={})]


def test_a_clean_set_ends_with_0(loupe: Loupe, items: list[Item], tmp_path: Path) -> None:
    ended = loupe("data", "check", write_csv(tmp_path / "clean.csv", items), "--json")
    assert ended.code == 0
    assert (ended.json["leaks"], ended.json["pictures"], ended.json["readable"]) == (False, 24, 24)
    assert ended.json["counts"]["test"] == {"crack": 4, "good": 4}


def test_a_leak_ends_with_1_and_is_named(loupe: Loupe, items: list[Item], tmp_path: Path) -> None:
    ended = loupe("data", "check", write_csv(tmp_path / "leak.csv", leaking(items)), "--json")
    assert ended.code == 1
    assert ended.json["leaks"] is True
    (found,) = [finding for finding in ended.json["findings"] if finding["leak"]]
    assert {Path(path).name for path in found["paths"]} == {"00.png", "copy.png"}


def test_a_group_in_two_splits_is_a_leak(loupe: Loupe, items: list[Item], tmp_path: Path) -> None:
    rows = [
        Item(path=item.path, label=item.label, split=item.split, group="module 7", columns={})
        for item in items
    ]
    ended = loupe("data", "check", write_csv(tmp_path / "leak.csv", rows), "--json")
    assert (ended.code, ended.json["leaks"]) == (1, True)
    alone = loupe("data", "check", tmp_path / "leak.csv", "--group-column", "none", "--json")
    assert (alone.code, alone.json["leaks"]) == (0, False)


def test_people_are_shown_counts_and_findings(loupe: Loupe, items: list[Item], tmp_path: Path) -> None:
    ended = loupe("data", "check", write_csv(tmp_path / "leak.csv", leaking(items)))
    assert ended.code == 1
    assert "Findings, the worst first" in ended.out
    assert "copy.png" in ended.out
    assert "25 of 25 pictures readable; the splits leak" in ended.out


def test_labels_in_square_brackets_are_shown_as_they_are(loupe: Loupe, tmp_path: Path) -> None:
    items = pictures(tmp_path / "pictures", labels=("good", "[/crack]"))
    ended = loupe("data", "check", write_csv(tmp_path / "odd.csv", items))
    assert ended.code == 0
    assert "[/crack]" in ended.out


def test_a_folder_of_folders_needs_no_manifest(loupe: Loupe, items: list[Item], tmp_path: Path) -> None:
    for item in items:
        target = tmp_path / "folders" / item.split / item.label / item.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        item.path.rename(target)
    ended = loupe("data", "check", tmp_path / "folders", "--json")
    assert (ended.code, ended.json["pictures"]) == (0, 24)


def test_what_is_not_there_ends_with_2_and_says_so_on_both_streams(loupe: Loupe, tmp_path: Path) -> None:
    ended = loupe("data", "check", tmp_path / "none.csv", "--json")
    assert ended.code == 2
    assert ended.json["error"]["type"] == "ManifestError"
    assert "none.csv: expected a manifest CSV or a folder of folders, found nothing" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--good", "fine"], "expected the good label to be one of crack, good, found 'fine'"),
        (["--where", "line=east"], "expected a column 'line', found: path, label, split, group"),
        (["--split-column", "fold"], "expected a column 'fold'"),
    ],
)
def test_options_that_do_not_fit_the_manifest_end_with_2(
    loupe: Loupe, items: list[Item], tmp_path: Path, arguments: list[str], message: str
) -> None:
    ended = loupe("data", "check", write_csv(tmp_path / "clean.csv", items), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_no_argument_is_a_wrong_usage(loupe: Loupe) -> None:
    ended = loupe("data", "check", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "Missing argument" in ended.err


def test_the_installed_command_does_the_same(items: list[Item], tmp_path: Path) -> None:
    """The console script itself, in a process of its own."""
    leak = write_csv(tmp_path / "leak.csv", leaking(items))
    ended = subprocess.run(
        [Path(sys.executable).with_name("loupe"), "data", "check", leak, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (line,) = ended.stdout.splitlines()
    assert (ended.returncode, json.loads(line)["leaks"]) == (1, True)
