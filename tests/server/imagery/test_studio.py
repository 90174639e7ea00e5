"""The studio in earnest: what its machine cannot do is said before the first order, and is no order's fault afterwards."""

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.imagery import studio as module
from server.imagery.studio import SceneStudio
from server.imagery.worker import Habits, Worker
from server.storage.blobs import Blobs
from server.storage.database import Database
from server.storage.imagery_jobs import ImageryJobs
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import AttemptEnd, JobState
from tests.goods import goods
from tests.pictures import encoded
from tests.server.imagery.parts import brief, photo
from tests.server.storage.images import order
from vision.errors import LoupeError, MissingExtraError, SettingsError
from vision.imagery.brief import PLAIN_WHITE, PROCEDURAL, STUDIO
from vision.imagery.review import State


def test_it_has_what_loupe_carries_and_the_folders_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "brand-scenes").mkdir()
    (tmp_path / "notes.txt").write_text("no model")

    assert SceneStudio(models=tmp_path).generators == (PLAIN_WHITE, PROCEDURAL, STUDIO, "brand-scenes")
    assert SceneStudio(models=tmp_path, only=("brand-scenes",)).generators == ("brand-scenes",)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (SceneStudio(only=("studio-9000",)), "generator: expected one of .*, found 'studio-9000'"),
        (SceneStudio(dtype="float23"), "dtype: expected one of float32, float16, bfloat16, found 'float23'"),
        (
            SceneStudio(device="tpu"),
            "device: expected cpu, cuda or cuda:N, found 'tpu'",
        ),
    ],
)
def test_what_this_machine_cannot_do_is_named_before_the_first_order(
    made: SceneStudio, complaint: str
) -> None:
    if made.only is None:
        pytest.importorskip("diffusers", reason="needs the extra diffusion")
    with pytest.raises(LoupeError, match=complaint):
        made.check()


def test_a_cut_out_network_that_is_none_is_named_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_CUTOUT_MODEL", str(tmp_path / "absent.onnx"))
    with pytest.raises(SettingsError, match=r"LOUPE_CUTOUT_MODEL: .*absent\.onnx"):
        SceneStudio().check()


def test_without_torch_trained_models_are_left_to_others_unless_they_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(**_: str) -> None:
        raise MissingExtraError("diffusion", "torch")

    monkeypatch.setattr(module, "check_machinery", missing)
    found = SceneStudio()
    found.check()

    assert found.generators == (PLAIN_WHITE, PROCEDURAL)
    with pytest.raises(MissingExtraError, match=r"loupe\[diffusion\]"):
        SceneStudio(only=(STUDIO,)).check()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder of models with a tiny Stable Diffusion, `tiny`."""
    pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")
    from tests.vision.imagery.diffusion.checkpoints import stable_diffusion

    stable_diffusion(tmp_path / "models" / "tiny")
    return tmp_path / "models"


def place(database: Database, blobs: Blobs) -> str:
    """The id of an order for two candidates by `tiny`."""
    mug = goods("mug", 0, 320, backdrop="white")
    asked = brief(generator="tiny", rules=("shopify",), count=2)
    placed = order(
        brief=asked.model_dump(mode="json"), generator="tiny", count=2, photo_sha256=blobs.put(mug.photo_png),
        mask_sha256=blobs.put(encoded(mug.alpha_hw, "PNG")), created_at=datetime.now(UTC),
    )  # fmt: skip
    return ImageryJobs(database).place(placed)[0].id


def work(database: Database, blobs: Blobs, studio: SceneStudio) -> Counter[AttemptEnd]:
    habits = Habits(name="one", poll_s=0.02, once=True)
    return Worker(ImageryQueue(database), blobs, studio, habits, threading.Event()).run()


@pytest.mark.torch
def test_a_model_that_runs_out_of_memory_is_let_go_and_its_order_tried_again(
    database: Database, blobs: Blobs, checkpoint: Path
) -> None:
    torch = pytest.importorskip("torch")
    job, studio = place(database, blobs), SceneStudio(models=checkpoint)
    hungry = studio._opened("tiny")
    hungry._pipeline.unet.register_forward_pre_hook(lambda *_: torch.empty(1 << 60, dtype=torch.uint8))  # type: ignore[attr-defined]
    studio._open = hungry

    assert work(database, blobs, studio) == {AttemptEnd.FAILED: 1, AttemptEnd.DONE: 1}

    assert studio._open is not hungry
    found = ImageryJobs(database).find(job)
    assert (found.state, found.failures) == (JobState.DONE, 0)
    assert [one.state for one in ImageryJobs(database).candidates(job)] == [State.CHECKED] * 2


@pytest.mark.torch
def test_an_order_of_which_the_models_checker_refuses_all_has_failed_and_says_so(
    database: Database, blobs: Blobs, checkpoint: Path
) -> None:
    from tests.vision.imagery.diffusion.checkpoints import add_safety_checker

    add_safety_checker(checkpoint / "tiny", objects=True)
    job = place(database, blobs)

    assert work(database, blobs, SceneStudio(models=checkpoint)) == {AttemptEnd.FAILED: 1}

    found = ImageryJobs(database).find(job)
    assert (found.state, found.attempt) == (JobState.FAILED, 1)
    for number, seed in ((1, 100), (2, 101)):
        assert (
            f"candidate {number}: tiny: the model's safety checker objects to the scene of seed {seed}"
            in found.reason
        )


@pytest.mark.torch
def test_a_model_folder_that_cannot_be_opened_is_the_workers_fault_and_not_offered_again(
    tmp_path: Path,
) -> None:
    pytest.importorskip("diffusers", reason="needs the extra diffusion")
    (tmp_path / "brand-scenes").mkdir()
    found = SceneStudio(models=tmp_path)

    with pytest.raises(SettingsError, match="this worker cannot open the scene model brand-scenes: "):
        found.sit(photo(side=64), None, brief(generator="brand-scenes", rules=("shopify",)))

    assert "brand-scenes" not in found.generators
