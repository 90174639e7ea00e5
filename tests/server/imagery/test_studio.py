"""The studio in earnest: what its machine cannot do is said before the first order, and is no order's fault afterwards."""

from pathlib import Path

import pytest

from server.imagery import studio as module
from server.imagery.studio import SceneStudio
from tests.server.imagery.parts import brief, photo
from vision.errors import LoupeError, MissingExtraError, SettingsError
from vision.imagery.brief import PLAIN_WHITE, PROCEDURAL, STUDIO


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


def test_a_model_folder_that_cannot_be_opened_is_the_workers_fault_and_not_offered_again(
    tmp_path: Path,
) -> None:
    pytest.importorskip("diffusers", reason="needs the extra diffusion")
    (tmp_path / "brand-scenes").mkdir()
    found = SceneStudio(models=tmp_path)

    with pytest.raises(SettingsError, match="this worker cannot open the scene model brand-scenes: "):
        found.sit(photo(side=64), None, brief(generator="brand-scenes", rules=("shopify",)))

    assert "brand-scenes" not in found.generators
