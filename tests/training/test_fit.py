"""The training loop on small pictures: it learns, it resumes, it runs on several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.pictures import small_disk
from training.fit import fit, learning_rate_factor
from training.manifest import Item
from training.model import build
from training.processor import kind_here, name_of
from training.recipe import Recipe, Stage
from training.run import Picture, Run, read_run
from vision.errors import StorageError
from vision.preprocess import PreprocessSpec

pytestmark = pytest.mark.torch


def recipe(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "small",
        "backbone": "resnet18",
        "preprocess": PreprocessSpec(size_wh=(64, 64)),
        "stages": (Stage(until=0.5, size_px=32), Stage(until=1.0, size_px=64)),
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "ema_decay": 0.8,
    }
    return Recipe.model_validate(values | changes)


def spotted(folder: Path, count: int) -> list[Item]:
    """Grey plates; the odd ones carry a bright spot and are defective."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    items = []
    for index in range(count):
        image = rng.integers(70, 110, (64, 64, 3), np.uint8)
        if index % 2:
            cv2.circle(image, (int(rng.integers(16, 48)), int(rng.integers(16, 48))), 10, (240, 240, 240), -1)
        path = folder / f"{index:03d}.png"
        cv2.imwrite(str(path), image)
        label = "defective" if index % 2 else "good"
        items.append(Item(path=path, label=label, split="train", group=path.name, columns={}))
    return items


def planned(folder: Path, count: int = 48, **changes: object) -> Run:
    items = spotted(folder / "pictures", count)
    tuned = count // 4
    pictures = [Picture.of(item, "tune" if index < tuned else "train") for index, item in enumerate(items)]
    run = Run(
        recipe=recipe(**changes),
        weights="none",
        seed=3,
        minutes=None,
        labels=("defective", "good"),
        good="good",
        data_digest="0" * 64,
        split_column="split",
        pictures=tuple(pictures),
    )
    (folder / "run").mkdir(parents=True)
    run.write(folder / "run")
    return run


def reports(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_spot_is_learned_and_the_run_says_how(tmp_path: Path) -> None:
    run = planned(tmp_path, epochs=8)

    finished = fit(run, tmp_path / "run")

    assert finished.result is not None
    assert finished.result.tune_score > 0.9
    assert finished.result.processor == name_of(torch.device(kind_here(), 0))
    assert read_run(tmp_path / "run", Run) == finished
    assert {report["size_px"] for report in reports(tmp_path / "run") if "size_px" in report} == {32, 64}
    assert not list((tmp_path / "run").glob("checkpoint*"))
    assert not (tmp_path / "run" / "cache").exists()


def test_learning_that_makes_it_worse_leaves_the_solved_head(tmp_path: Path) -> None:
    known = tmp_path / "known.safetensors"
    save_file(build("resnet18", 2, "none").state_dict(), known)
    run = planned(tmp_path, epochs=1, learning_rate=0.01).model_copy(update={"weights": str(known)})

    finished = fit(run, tmp_path / "run")

    before, after = [one["tune_score"] for one in reports(tmp_path / "run") if "tune_score" in one]
    assert before > 0.9 > after, "a few steps at this rate and its features are worth nothing"
    assert finished.result is not None
    assert finished.result.step == 0
    assert finished.result.tune_score == pytest.approx(before, abs=1e-4)
    first, kept = load_file(known), load_file(tmp_path / "run" / "model.safetensors")
    for name in first.keys() - {"head.weight", "head.bias"}:
        torch.testing.assert_close(kept[name], first[name])


def test_a_run_that_was_killed_goes_on_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    whole = planned(tmp_path / "whole")
    fit(whole, tmp_path / "whole" / "run")
    planned(tmp_path / "killed")
    script = (
        "import sys; from pathlib import Path; from training.fit import fit; from training.run import Run, read_run; "
        "out = Path(sys.argv[1]); fit(read_run(out, Run), out)"
    )
    out = tmp_path / "killed" / "run"
    child = subprocess.Popen([sys.executable, "-c", script, str(out)], start_new_session=True)
    wait_for(out / "checkpoint.pt", child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()

    resumed = fit(read_run(out, Run), out)

    assert resumed.result is not None
    first, second = (load_file(tmp_path / name / "run" / "model.safetensors") for name in ("whole", "killed"))
    assert resumed.result.steps == read_run(tmp_path / "whole" / "run", Run).result.steps  # type: ignore[union-attr]
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0.05, atol=0.02)


def test_the_first_interrupt_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    planned(tmp_path, epochs=40)
    out = tmp_path / "run"
    script = (
        "import sys; from pathlib import Path; from training.fit import fit; from training.run import Run, read_run\n"
        "out = Path(sys.argv[1])\n"
        "try:\n    fit(read_run(out, Run), out)\nexcept KeyboardInterrupt:\n    sys.exit(130)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(out)], start_new_session=True)
    wait_for(out / "metrics.jsonl", child)
    os.kill(child.pid, signal.SIGINT)

    assert child.wait(timeout=120) == 130
    assert (out / "checkpoint.pt").exists()
    assert read_run(out, Run).result is None


def test_a_full_disk_is_said_to_be_one(tmp_path: Path) -> None:
    run = planned(tmp_path)
    with (
        small_disk(tmp_path / "small", kibibytes=2048) as out,
        pytest.raises(StorageError, match="No space left"),
    ):
        fit(run, out)


def fit_on_two(folder: Path) -> subprocess.CompletedProcess[str]:
    """The planned run in two processes, started by a third."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom training.fit import fit\nfrom training.run import Run, read_run\n"
        "if __name__ == '__main__':\n    out = Path(sys.argv[1])\n    fit(read_run(out, Run), out, devices=2)\n"
    )
    launcher = folder / "launch.py"
    launcher.write_text(script)
    return subprocess.run(
        [sys.executable, str(launcher), str(folder / "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_two_processes_train_together(tmp_path: Path) -> None:
    planned(tmp_path, epochs=2)

    done = fit_on_two(tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]
    result = read_run(tmp_path / "run", Run).result
    assert result is not None
    assert result.steps == 2 * (36 // 8)


def test_what_ends_one_of_two_processes_is_said(tmp_path: Path) -> None:
    planned(tmp_path, epochs=2)
    spoilt = tmp_path / "pictures" / "000.png"
    spoilt.write_bytes(spoilt.read_bytes()[:100])

    done = fit_on_two(tmp_path)

    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("vision.errors.LoupeError: a training process ended: ")
    assert str(spoilt) in last


def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path: Path) -> None:
    run = planned(tmp_path, epochs=60, patience=2, learning_rate=1e-9)

    finished = fit(run, tmp_path / "run")

    assert finished.result is not None
    assert finished.result.stopped == "patience"


def test_minutes_fit_the_whole_schedule_into_the_time(tmp_path: Path) -> None:
    run = planned(tmp_path, epochs=1000).model_copy(update={"minutes": 0.05})

    finished = fit(run, tmp_path / "run")

    assert finished.result is not None
    assert finished.result.seconds < 30
    assert reports(tmp_path / "run")[-1]["progress"] == 1.0


def test_the_learning_rate_warms_up_and_ends_at_nothing() -> None:
    assert learning_rate_factor(0.0, 0.1) == 0.0
    assert learning_rate_factor(0.1, 0.1) == pytest.approx(1.0)
    assert learning_rate_factor(1.0, 0.1) == pytest.approx(0.0)


def wait_for(path: Path, child: "subprocess.Popen[bytes]", *, seconds: float = 180) -> None:
    """Until `path` is there; fails when the child ends before."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert child.poll() is None, "the child ended too soon"
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.02)
