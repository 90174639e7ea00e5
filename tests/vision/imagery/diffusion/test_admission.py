import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vision.imagery.diffusion.checkpoints import add_controlnet, add_lora, append_settings
from vision.errors import ImageryError
from vision.imagery.diffusion.admission import admit

Change = Callable[[Path], None]


@pytest.fixture
def folder(plain: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(plain, tmp_path / "model"))


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes), encoding="utf-8")


def test_a_whole_folder_is_admitted_with_every_files_digest(folder: Path) -> None:
    admitted = admit(folder)

    assert not admitted.xl
    assert not admitted.inpaints
    assert not admitted.checks_safety
    assert admitted.settings.licence == "CC0-1.0"
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(admitted.files) == on_disk
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert admitted.files[weights] == hashlib.sha256((folder / weights).read_bytes()).hexdigest()


def test_the_folders_digest_changes_with_any_byte(folder: Path) -> None:
    before = admit(folder).digest
    with (folder / "scheduler" / "scheduler_config.json").open("a") as file:
        file.write(" ")

    assert admit(folder).digest != before


def pickled(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def with_code(folder: Path) -> None:
    (folder / "unet" / "modeling.py").write_text("print('hello')")


def no_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def torn_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("{")


def foreign_pipeline(folder: Path) -> None:
    rewrite(folder / "model_index.json", _class_name="FluxPipeline")


def foreign_class(folder: Path) -> None:
    rewrite(folder / "model_index.json", vae=["os", "system"])


def foreign_part(folder: Path) -> None:
    rewrite(folder / "model_index.json", helper=["subprocess", "Popen"])


def no_unet(folder: Path) -> None:
    rewrite(folder / "model_index.json", unet=[None, None])


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def no_config(folder: Path) -> None:
    (folder / "text_encoder" / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()


def code_from_afar(folder: Path) -> None:
    rewrite(folder / "unet" / "config.json", auto_map={"AutoModel": "modeling.Model"})


def no_settings(folder: Path) -> None:
    (folder / "loupe-model.toml").unlink()


def no_licence(folder: Path) -> None:
    (folder / "loupe-model.toml").write_text("steps = 4\n")


def unknown_setting(folder: Path) -> None:
    append_settings(folder, "stpes = 4\n")


def missing_lora(folder: Path) -> None:
    append_settings(folder, 'loras = [{file = "brand.safetensors"}]\n')


def escaping_lora(folder: Path) -> None:
    append_settings(folder, 'loras = [{file = "../brand.safetensors"}]\n')


def pickled_lora(folder: Path) -> None:
    (folder / "brand.txt").write_text("a LoRA")
    append_settings(folder, 'loras = [{file = "brand.txt"}]\n')


def controlnet_alone(folder: Path) -> None:
    append_settings(folder, 'controlnet = "controlnet"\n')


def missing_controlnet(folder: Path) -> None:
    append_settings(folder, 'controlnet = "controlnet"\ncontrol = "canny"\n')


def other_controlnet(folder: Path) -> None:
    add_controlnet(folder, "canny")
    rewrite(folder / "controlnet" / "config.json", _class_name="UNet2DConditionModel")


def link_out(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    outside = folder.parent / "elsewhere" / "weights.safetensors"
    outside.parent.mkdir()
    weights.rename(outside)
    weights.symlink_to(outside)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (pickled, r"unet/diffusion_pytorch_model.bin: expected weights as .safetensors.* found a .bin file"),
        (with_code, r"unet/modeling.py: .* found a .py file"),
        (no_index, r"model_index.json: expected a file of a diffusers pipeline"),
        (torn_index, r"model_index.json: expected JSON"),
        (foreign_pipeline, r"_class_name: expected one of StableDiffusionPipeline.* found 'FluxPipeline'"),
        (foreign_class, r"vae: expected diffusers.AutoencoderKL.*, found os.system"),
        (foreign_part, r"helper: expected no such part, found subprocess.Popen"),
        (no_unet, r"expected the part unet, found none"),
        (no_folder, r"vae: expected a folder, found none"),
        (no_config, r"text_encoder/config.json: expected a file"),
        (no_weights, r"vae: expected weights as .safetensors, found none"),
        (code_from_afar, r"auto_map: expected none, found code to be downloaded"),
        (no_settings, r"loupe-model.toml: expected the model's settings, its licence at least"),
        (no_licence, r"loupe-model.toml: licence: expected a value, found none"),
        (unknown_setting, r"loupe-model.toml: stpes: expected one of"),
        (missing_lora, r"brand.safetensors: expected a LoRA's .safetensors file, found none"),
        (
            escaping_lora,
            r"expected a path inside the model's folder, nothing hidden, found '../brand.safetensors'",
        ),
        (pickled_lora, r"brand.txt: expected a LoRA's .safetensors file"),
        (controlnet_alone, r"expected controlnet and control together, found one of them"),
        (missing_controlnet, r"controlnet/config.json: expected a file"),
        (other_controlnet, r"_class_name: expected ControlNetModel, found 'UNet2DConditionModel'"),
        (link_out, r"expected files of this folder, found a link out of it"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_is_refused_with_what_is_wrong_with_it(folder: Path, spoil: Change, complaint: str) -> None:
    spoil(folder)

    with pytest.raises(ImageryError, match=complaint):
        admit(folder)


def test_hidden_files_are_passed_over(folder: Path) -> None:
    before = admit(folder).digest
    (folder / ".cache").mkdir()
    (folder / ".cache" / "download.lock").write_text("")

    assert admit(folder).digest == before


def pins(folder: Path) -> str:
    files = {name: digest for name, digest in admit(folder).files.items() if name != "loupe-model.toml"}
    return "[pinned]\n" + "".join(f'"{name}" = "{digest}"\n' for name, digest in files.items())


def test_a_pinned_folder_is_admitted_while_it_is_the_pinned_one(folder: Path) -> None:
    append_settings(folder, pins(folder))

    assert admit(folder).settings.pinned


@pytest.mark.parametrize("name", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"])
def test_a_pinned_file_that_changed_is_named(folder: Path, name: str) -> None:
    append_settings(folder, pins(folder))
    with (folder / name).open("ab") as file:
        file.write(b" ")

    with pytest.raises(ImageryError, match=f"{name}: expected SHA-256 [0-9a-f]{{64}}, found [0-9a-f]{{64}}"):
        admit(folder)


def test_a_file_beside_the_pinned_ones_is_refused_and_a_missing_one_named(folder: Path) -> None:
    append_settings(folder, pins(folder))
    (folder / "unet" / "more.json").write_text("{}")

    with pytest.raises(ImageryError, match=r"unet/more.json: expected SHA-256 none: it is not pinned"):
        admit(folder)
    (folder / "unet" / "more.json").unlink()
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    with pytest.raises(ImageryError, match=r"tokenizer_config.json: .* found no such file"):
        admit(folder)


def test_controlnet_and_loras_are_among_the_digests(folder: Path) -> None:
    add_controlnet(folder, "depth")
    add_lora(folder)

    files = admit(folder).files

    assert "controlnet/diffusion_pytorch_model.safetensors" in files
    assert "brand.safetensors" in files


def test_a_folder_that_is_not_there_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ImageryError, match=r"model_index.json: expected a file of a diffusers pipeline"):
        admit(tmp_path / "nowhere")
