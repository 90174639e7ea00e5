"""The whole way with real processes: a folder of pictures, the commands as a person types them, verdicts at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]

RECIPE = """
backbone = "resnet18"
epochs = 6
batch_size = 16
stages = [{ until = 1.0, size_px = 64 }]
learning_rate = 1e-3
ema_decay = 0.9
[preprocess]
size_wh = [64, 64]
[augment]
flip_vertical = true
"""


def loupe(*arguments: object, expect: int = 0) -> dict[str, Any]:
    """Run a command with --json; its object."""
    binary = Path(sys.executable).parent / "loupe"
    # on a busy machine two threads wait for each other most of the time, with models and pictures as small as these
    environment = {**os.environ, "LOUPE_REQUIRE_SIGNATURE": "false", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(binary), *map(str, arguments), "--json"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == expect, done.stderr[-3000:]
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plates with and without scratches, split beforehand: 160 to learn from, 160 to calibrate on, 40 to test."""
    root = tmp_path_factory.mktemp("workshop")
    rng = np.random.default_rng(5)
    for split, count in (("train", 160), ("val", 160), ("test", 40)):
        for index in range(count):
            label = "scratched" if index % 2 else "ok"
            image = cv2.GaussianBlur(rng.integers(60, 160, (96, 96, 3), np.uint8), (5, 5), 0)
            if label == "scratched":
                start, end = (tuple(int(one) for one in rng.integers(10, 86, 2)) for _ in range(2))
                cv2.line(image, start, (end[0], (start[1] + 40) % 96), (250, 250, 250), 4)
            path = root / "pictures" / split / label / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    (root / "small.toml").write_text(RECIPE)
    return root


@pytest.fixture(scope="module")
def bundle(workshop: Path) -> Path:
    """Trained, exported with int8, certified and signed."""
    data = workshop / "pictures"
    run, out = workshop / "run", workshop / "plates"
    trained = loupe(
        "train", "--data", data, "--out", run, "--recipe", workshop / "small.toml", "--weights", "none"
    )
    assert trained["tune_score"] > 0.9
    exported = loupe("export", run, "--out", out, "--int8")
    assert exported["parity"]["label_disagreements"] == 0
    certified = loupe("certify", out, "--data", data, "--max-escape", 0.1, "--confidence", 0.9)
    assert certified["files"]["model.onnx"]["certified"], certified
    loupe("bundle", "keygen", workshop / "line")
    loupe("bundle", "sign", out, "--key", workshop / "line.key", "--out", workshop / "plates-1.0.loupe")
    return workshop / "plates-1.0.loupe"


def test_the_data_are_found_clean(workshop: Path) -> None:
    assert loupe("data", "check", workshop / "pictures")["leaks"] is False


def test_the_bundle_verifies_with_the_key_it_was_signed_with(workshop: Path, bundle: Path) -> None:
    verified = loupe("bundle", "verify", bundle, "--trusted-key", workshop / "line.pub")

    assert verified["valid"]
    assert verified["signed_by"]


def test_unseen_plates_are_judged_with_reasons_and_heatmaps(workshop: Path, bundle: Path) -> None:
    pictures = sorted((workshop / "pictures" / "test").rglob("*.png"))
    maps = workshop / "maps"

    answer = loupe("inspect", bundle, *pictures, "--explain", "--heatmap", maps)

    assert sum(answer["counts"].values()) == len(pictures)
    decisions = [(Path(result["image"]).parent.name, result["decision"]) for result in answer["results"]]
    assert sum(pair in {("ok", "accept"), ("scratched", "reject")} for pair in decisions) > len(pictures) / 2
    assert decisions.count(("scratched", "accept")) <= 2
    assert len(list(maps.glob("*.png"))) == len(pictures)
    assert all(result["reason"] and result["explanation"]["text"] for result in answer["results"])


def test_the_figures_on_unseen_plates_come_with_a_report(workshop: Path, bundle: Path) -> None:
    report = workshop / "report.html"

    figures = loupe(
        "evaluate", bundle, "--data", workshop / "pictures", "--split", "test", "--report", report
    )

    assert figures["auroc"] > 0.9
    assert figures["policy"]["escape"]["count"] <= 2
    assert report.stat().st_size > 10_000


def test_this_machine_is_qualified_among_the_files_that_may_run(bundle: Path) -> None:
    found = loupe("qualify", bundle, "--runs", 5)

    assert found["choice"]["file"] in {one["choice"]["file"] for one in found["candidates"]}


def test_a_run_that_is_finished_is_not_overwritten(workshop: Path, bundle: Path) -> None:
    arguments = (
        "--data",
        workshop / "pictures",
        "--out",
        workshop / "run",
        "--recipe",
        workshop / "small.toml",
    )

    refused = loupe("train", *arguments, "--weights", "none", expect=2)

    assert "finished" in refused["error"]["message"]
