import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.vision.imagery.diffusion.checkpoints import (
    SETTINGS,
    add_controlnet,
    add_lora,
    add_safety_checker,
    append_settings,
    stable_diffusion,
    stable_diffusion_xl,
)
from vision.errors import (
    CancelledError,
    DeviceError,
    ImageryError,
    RefusedError,
    SettingsError,
)
from vision.image import Pixels
from vision.imagery import create
from vision.imagery.brief import Layout, Light
from vision.imagery.diffusion import pipelines
from vision.imagery.diffusion.generator import _filling
from vision.imagery.diffusion.opening import open_generator
from vision.imagery.look import Look, Table, Wall
from vision.imagery.scenes.scene import Kept, SceneAsk, Step, Style

LEFT = Layout(horizon=0.6, light=Light.LEFT)


def ask(
    words: str = "a red wall, a table of wood", *, kept: Kept | None = None, **options: object
) -> SceneAsk:
    given: dict[str, object] = {"layout": Layout(), "size_wh": (120, 96), "seed": 3} | options
    return SceneAsk(words=words, kept=kept, **given)  # type: ignore[arg-type]


def nothing(_: Step) -> None:
    pass


def painted(folder: Path, **options: object) -> Pixels:
    return open_generator(folder).generate(ask(**options), nothing).image_hwc  # type: ignore[arg-type]


def product(level: int = 200) -> Kept:
    mask = np.zeros((96, 120), np.bool_)
    mask[30:80, 40:80] = True
    return Kept(image_hwc=np.full((96, 120, 3), level, np.uint8), mask_hw=mask)


def style(level: int, look: Look | None = None) -> Style:
    """A picture of another size and shape, darker at its right."""
    ramp = np.linspace(level, level // 2, 200).astype(np.uint8)
    return Style(
        image_hwc=np.ascontiguousarray(np.tile(ramp[None, :, None], (150, 1, 3))), look=look or Look()
    )


@pytest.fixture
def folder(plain: Path, tmp_path: Path) -> Path:
    """A copy of the tiny Stable Diffusion that a test may change."""
    return Path(shutil.copytree(plain, tmp_path / "model"))


def test_a_scene_is_painted_at_the_size_asked_for_with_every_step_told(plain: Path) -> None:
    told: list[Step] = []

    scene = open_generator(plain).generate(ask(), told.append)

    assert scene.image_hwc.shape == (96, 120, 3)
    assert scene.image_hwc.dtype == np.uint8
    assert [(step.done, step.steps) for step in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for step in told:
        assert step.preview_hwc is not None
        assert step.preview_hwc.dtype == np.uint8
    assert scene.layout.horizon is not None
    assert scene.layout.light is not None
    assert scene.record["pipeline"] == "StableDiffusionPipeline"
    assert scene.record["painted_wh"] == [72, 56]


@pytest.mark.parametrize(
    ("make", "inpaints", "control", "pipeline"),
    [
        (stable_diffusion, False, "canny", "StableDiffusionControlNetPipeline"),
        (stable_diffusion, True, None, "StableDiffusionInpaintPipeline"),
        (stable_diffusion, True, "depth", "StableDiffusionControlNetInpaintPipeline"),
        (stable_diffusion_xl, False, None, "StableDiffusionXLPipeline"),
        (stable_diffusion_xl, False, "layout", "StableDiffusionXLControlNetPipeline"),
        (stable_diffusion_xl, True, None, "StableDiffusionXLInpaintPipeline"),
        (stable_diffusion_xl, True, "canny", "StableDiffusionXLControlNetInpaintPipeline"),
    ],
)
def test_every_class_of_model_paints(
    tmp_path: Path, make: object, inpaints: bool, control: str | None, pipeline: str
) -> None:
    folder = make(tmp_path / "model", inpaints=inpaints)  # type: ignore[operator]
    if control:
        add_controlnet(folder, control)

    scene = open_generator(folder).generate(ask(kept=product(), layout=LEFT), nothing)

    assert scene.record["pipeline"] == pipeline
    assert scene.image_hwc.shape == (96, 120, 3)
    assert scene.image_hwc.std() > 5
    if control:
        assert scene.layout.horizon == 0.6


@pytest.mark.parametrize(
    ("make", "inpaints", "control", "pipeline"),
    [
        (stable_diffusion, False, None, "StableDiffusionImg2ImgPipeline"),
        (stable_diffusion, False, "canny", "StableDiffusionControlNetImg2ImgPipeline"),
        (stable_diffusion, True, None, "StableDiffusionInpaintPipeline"),
        (stable_diffusion, True, "depth", "StableDiffusionControlNetInpaintPipeline"),
        (stable_diffusion_xl, False, None, "StableDiffusionXLImg2ImgPipeline"),
        (stable_diffusion_xl, False, "layout", "StableDiffusionXLControlNetImg2ImgPipeline"),
        (stable_diffusion_xl, True, None, "StableDiffusionXLInpaintPipeline"),
    ],
)
def test_every_class_of_model_begins_with_a_style_picture(
    tmp_path: Path, make: object, inpaints: bool, control: str | None, pipeline: str
) -> None:
    folder = make(tmp_path / "model", inpaints=inpaints)  # type: ignore[operator]
    if control:
        add_controlnet(folder, control)
    generator = open_generator(folder)
    before = generator.generate(ask(kept=product(), layout=LEFT), nothing).image_hwc

    one, other, again = (
        generator.generate(ask(kept=product(), layout=LEFT, style=style(level)), nothing)
        for level in (40, 220, 40)
    )

    assert one.record["pipeline"] == pipeline
    assert one.record["style_strength"] == 0.75
    assert one.image_hwc.shape == (96, 120, 3)
    assert np.array_equal(one.image_hwc, again.image_hwc)
    assert not np.array_equal(one.image_hwc, other.image_hwc)
    assert np.array_equal(generator.generate(ask(kept=product(), layout=LEFT), nothing).image_hwc, before)


def test_how_much_of_a_style_picture_is_painted_over_is_a_models_setting(folder: Path) -> None:
    told: list[Step] = []
    append_settings(folder, "style_strength = 0.5\n")
    light = open_generator(folder).generate(ask(style=style(40)), told.append)

    assert [(step.done, step.steps) for step in told] == [(1, 2), (2, 2)]
    assert light.record["style_strength"] == 0.5
    settings = folder / "loupe-model.toml"
    settings.write_text(settings.read_text().replace("style_strength = 0.5", "style_strength = 0.1"))
    with pytest.raises(ImageryError, match="style_strength"):
        open_generator(folder)


def test_a_model_of_one_step_makes_it_over_a_style_picture_too(folder: Path) -> None:
    settings = folder / "loupe-model.toml"
    settings.write_text(settings.read_text().replace("steps = 4", "steps = 1"))

    assert open_generator(folder).generate(ask(style=style(40)), nothing).record["style_strength"] == 1.0


def test_without_words_the_prompt_says_what_the_style_picture_shows(plain: Path) -> None:
    shown = Look(wall=Wall.RED, table=Table.WOOD)
    prompts = [
        open_generator(plain)
        .generate(ask(words, style=style(40, look), layout=layout), nothing)
        .record["prompt"]
        for words, look, layout in (
            ("", shown, Layout()),
            ("", shown, LEFT),
            ("a blue wall", shown, Layout()),
            ("", Look(), Layout()),
        )
    ]

    assert prompts == [
        "red wall, wood table",
        "red wall, wood table, light from the left",
        "a blue wall",
        "an empty studio, a wall and a table",
    ]


@pytest.mark.parametrize("size_wh", [(300, 90), (90, 300), (64, 64), (2000, 1500)])
def test_a_style_picture_of_any_shape_fills_the_frame_undistorted(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) < 0.3 * min(size_wh)

    filled = _filling(np.where(disc, 255, 0).astype(np.uint8)[..., None].repeat(3, 2), (72, 56))

    seen = filled[..., 0] > 127
    assert filled.shape == (56, 72, 3)
    assert seen.any(0).sum() == pytest.approx(seen.any(1).sum(), abs=2)


def test_the_size_painted_keeps_the_shape_asked_for_and_suits_the_models_layers(plain: Path) -> None:
    scene = open_generator(plain).generate(ask(size_wh=(200, 50)), nothing)

    assert scene.record["painted_wh"] == [128, 32]


@pytest.mark.parametrize("control", ["canny", "depth", "layout"])
def test_a_controlnet_makes_the_scene_follow_the_layout(folder: Path, control: str) -> None:
    add_controlnet(folder, control)
    low, high = (painted(folder, layout=Layout(horizon=horizon)) for horizon in (0.8, 0.3))
    append_settings(folder, "control_scale = 0.0\n")
    without_low, without_high = (painted(folder, layout=Layout(horizon=horizon)) for horizon in (0.8, 0.3))

    assert not np.array_equal(low, high)
    assert not np.array_equal(low, without_low)
    assert np.array_equal(without_low, without_high)


def test_an_inpainting_model_paints_around_the_product(tmp_path: Path) -> None:
    folder = stable_diffusion(tmp_path / "model", inpaints=True)

    bright, dark, none = (painted(folder, kept=kept) for kept in (product(250), product(10), None))

    assert not np.array_equal(bright, dark)
    assert not np.array_equal(bright, none)


def test_the_same_ask_gives_the_same_pixels_here_and_in_another_process(plain: Path) -> None:
    generator = open_generator(plain)
    digests = {
        hashlib.sha256(generator.generate(ask(), nothing).image_hwc.tobytes()).hexdigest() for _ in range(2)
    }
    script = (
        "import hashlib, sys; from pathlib import Path; from tests.vision.imagery.diffusion.test_driver import *; "
        "print(hashlib.sha256(painted(Path(sys.argv[1])).tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(plain)], capture_output=True, text=True, check=True
    )

    assert digests == {done.stdout.strip()}
    assert not np.array_equal(painted(plain), painted(plain, seed=4))
    assert not np.array_equal(painted(plain), painted(plain, words="a blue wall"))


def test_one_who_cancels_mid_way_ends_it_and_the_next_scene_is_as_ever(plain: Path) -> None:
    generator = open_generator(plain)
    expected = generator.generate(ask(), nothing).image_hwc
    told: list[int] = []

    def cancel(step: Step) -> None:
        told.append(step.done)
        if step.done == 2:
            raise CancelledError("enough")

    with pytest.raises(CancelledError, match="enough"):
        generator.generate(ask(), cancel)

    assert told == [1, 2]
    assert np.array_equal(generator.generate(ask(), nothing).image_hwc, expected)


def test_a_failure_of_the_one_who_is_told_is_not_taken_for_the_models(plain: Path) -> None:
    def fail(_: Step) -> None:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="the database is away"):
        open_generator(plain).generate(ask(), fail)


_HUNGRY = """
import resource, sys
from pathlib import Path
import numpy as np
from tests.vision.imagery.diffusion.test_driver import *
from vision.errors import OutOfMemoryError

generator = open_generator(Path(sys.argv[1]))
small = ask(size_wh=(64, 64))
before = generator.generate(small, nothing).image_hwc
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
try:
    generator._settings = generator._settings.model_copy(update={"native_px": 2048})
    generator.generate(ask(size_wh=(2048, 2048)), nothing)
except OutOfMemoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
generator._settings = generator._settings.model_copy(update={"native_px": 64})
print(np.array_equal(generator.generate(small, nothing).image_hwc, before))
"""


def test_where_memory_runs_out_that_is_said_and_the_next_scene_is_as_ever(plain: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HUNGRY, str(plain)], capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == [
        "tiny-sd: expected enough memory for a scene of 2048x2048 pixels on cpu; it ran out",
        "True",
    ], done.stderr


def test_a_lora_changes_the_scene_and_at_no_weight_nothing(folder: Path) -> None:
    base = painted(folder)
    add_lora(folder)
    changed = painted(folder)
    settings = folder / "loupe-model.toml"
    settings.write_text(settings.read_text().replace("scale = 1.0", "scale = 0.0"))

    assert not np.array_equal(changed, base)
    assert np.array_equal(painted(folder), base)


def test_two_loras_go_together(folder: Path) -> None:
    add_lora(folder)
    one = painted(folder)
    shutil.copy(folder / "brand.safetensors", folder / "house.safetensors")
    text = (folder / "loupe-model.toml").read_text()
    both = 'loras = [{file = "brand.safetensors"}, {file = "house.safetensors"}]\n'
    (folder / "loupe-model.toml").write_text(text[: text.index("loras")] + both)

    assert not np.array_equal(painted(folder), one)


def test_a_lora_for_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    other = stable_diffusion_xl(tmp_path / "xl")
    add_lora(folder, of=other)

    with pytest.raises(ImageryError, match=r"brand.safetensors: expected a LoRA for this model"):
        open_generator(folder)


def test_a_lora_that_fits_in_part_is_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    add_lora(folder)
    tensors = load_file(folder / "brand.safetensors")
    tensors |= {
        name.replace("down_blocks.1", "down_blocks.7"): tensor.clone()
        for name, tensor in tensors.items()
        if "down_blocks.1" in name
    }
    save_file(tensors, folder / "brand.safetensors")

    with pytest.raises(ImageryError, match=r"brand.safetensors: expected a LoRA for this model"):
        open_generator(folder)


def test_weights_cut_short_are_named_with_their_folder(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])

    with pytest.raises(ImageryError, match=f"{folder}: expected a pipeline whose parts fit together"):
        open_generator(folder)


def test_weights_of_a_variant_are_found_under_its_name(folder: Path) -> None:
    before = painted(folder)
    for weights in folder.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    append_settings(folder, 'variant = "fp16"\n')

    assert np.array_equal(painted(folder), before)


def test_a_safety_checker_that_objects_ends_the_scene_with_a_reason(folder: Path) -> None:
    add_safety_checker(folder, objects=True)
    generator = open_generator(folder)

    with pytest.raises(RefusedError, match=r"the model's safety checker objects to the scene of seed 3"):
        generator.generate(ask(), nothing)


def test_a_safety_checker_that_does_not_object_changes_nothing(folder: Path) -> None:
    before = painted(folder)
    add_safety_checker(folder, objects=False)

    assert np.array_equal(painted(folder), before)


def test_no_invisible_watermark_is_ever_put_on(tmp_path: Path) -> None:
    generator = open_generator(stable_diffusion_xl(tmp_path / "xl"))

    assert generator._pipeline.watermark is None


def test_words_beyond_what_the_model_reads_are_cut_and_that_is_recorded(plain: Path) -> None:
    generator = open_generator(plain)

    assert generator.generate(ask("a red wall " * 90), nothing).record["prompt_cut"] is True
    assert generator.generate(ask("a red wall"), nothing).record["prompt_cut"] is False


def test_the_light_asked_for_is_said_to_a_model_that_reads_free_words(plain: Path) -> None:
    scene = open_generator(plain).generate(ask("a wall", layout=Layout(light=Light.RIGHT)), nothing)

    assert scene.record["prompt"] == "a wall, light from the right"


def test_a_model_of_studios_is_told_the_plain_caption(tmp_path: Path) -> None:
    folder = stable_diffusion(tmp_path / "model", settings=SETTINGS + 'words = "studio"\n')

    scene = open_generator(folder).generate(ask("teal 墙面, oak", layout=LEFT), nothing)

    assert str(scene.record["prompt"]).startswith("teal wall, wood table, light from the left")
    assert scene.layout == LEFT
    assert scene.record["assumed"] == ["depth", "softness"]


def test_everything_that_pixels_depend_on_is_in_the_fingerprint(plain: Path) -> None:
    one, two = open_generator(plain), open_generator(plain, threads=2)

    assert one.synthetic
    assert one.name == "tiny-sd"
    assert one.fingerprint != two.fingerprint
    assert {"model", "torch", "diffusers", "transformers", "device", "dtype", "threads", "processor"} <= set(
        one.fingerprint
    )
    assert one.fingerprint["offload"] == "no"


def test_bfloat16_paints_too_and_says_so(plain: Path) -> None:
    generator = open_generator(plain, dtype="bfloat16")

    assert generator.generate(ask(), nothing).image_hwc.std() > 5
    assert generator.fingerprint["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        (
            {"dtype": "int8"},
            SettingsError,
            r"dtype: expected one of float32, float16, bfloat16, found 'int8'",
        ),
        ({"device": "tpu"}, SettingsError, r"device: expected cpu, cuda or cuda:N, found 'tpu'"),
        ({"device": "cuda:x"}, SettingsError, r"device: expected cpu, cuda or cuda:N, found 'cuda:x'"),
        ({"offload": True}, SettingsError, r"offload: expected with a GPU alone"),
    ],
)
def test_machinery_that_is_not_there_is_named(
    plain: Path, options: dict[str, object], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        open_generator(plain, **options)  # type: ignore[arg-type]


def test_a_gpu_that_is_not_there_is_named(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    with pytest.raises(DeviceError, match=r"cuda: expected a GPU that torch can use, found none"):
        open_generator(plain, device="cuda")


def test_a_gpu_beyond_those_that_there_are_is_named(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)

    with pytest.raises(DeviceError, match=r"cuda:2: expected a GPU that torch can use, found 2"):
        open_generator(plain, device="cuda:2")


def test_a_worker_that_loads_no_torch_knows_the_same_types_of_numbers() -> None:
    assert tuple(pipelines.DTYPES) == create.DTYPES


def test_nothing_is_fetched_from_a_hub_unless_that_is_allowed() -> None:
    with pytest.raises(ImageryError, match=r"models of the hub are not allowed here"):
        open_generator(f"owner/model@{'0' * 40}")


def test_a_hub_that_cannot_be_reached_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ImageryError, match=r"owner/model@0{40}: cannot be had from the hub"):
        open_generator(f"owner/model@{'0' * 40}", allow_hub=True)


def in_the_cache(plain: Path, cache: Path, commit: str) -> None:
    """As the hub lays its cache out: names lead to contents."""
    repository = cache / "models--owner--model"
    snapshot = Path(shutil.copytree(plain, repository / "snapshots" / commit))
    (repository / "blobs").mkdir()
    for number, file in enumerate(path for path in snapshot.rglob("*") if path.is_file()):
        blob = repository / "blobs" / str(number)
        file.rename(blob)
        file.symlink_to(blob)


def test_what_was_fetched_before_is_opened_without_the_hub(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "1" * 40
    in_the_cache(plain, tmp_path, commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    generator = open_generator(f"owner/model@{commit}", allow_hub=True)

    assert generator.name == "model"
    assert generator.fingerprint["model"] == open_generator(plain).fingerprint["model"]


def test_settings_alone_may_name_a_model_of_the_hub_and_are_what_it_is_asked_by(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, folder = "2" * 40, tmp_path / "models" / "ours"
    in_the_cache(plain, tmp_path, commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder.mkdir(parents=True)
    (folder / "loupe-model.toml").write_text(SETTINGS + f'hub = "owner/model@{commit}"\n')

    with pytest.raises(ImageryError, match=r"models of the hub are not allowed here"):
        open_generator(folder)
    generator = open_generator(folder, allow_hub=True)

    assert generator.name == "ours"
    assert np.array_equal(generator.generate(ask(), nothing).image_hwc, painted(plain))
    assert generator.fingerprint["model"] != open_generator(plain).fingerprint["model"], "other settings"


def test_a_model_of_the_hub_is_named_with_its_commit(tmp_path: Path) -> None:
    (tmp_path / "loupe-model.toml").write_text(SETTINGS + 'hub = "owner/model@main"\n')

    with pytest.raises(ImageryError, match=r"loupe-model\.toml: hub: "):
        open_generator(tmp_path, allow_hub=True)


@pytest.mark.parametrize("name", ["nowhere", "owner/model", "owner/model@main"])
def test_a_model_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ImageryError, match=r"expected studio-64, a model's folder or owner/model@COMMIT"):
        open_generator(name)


def test_opening_and_painting_say_nothing_on_the_terminal(
    plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    painted(plain)

    assert capfd.readouterr() == ("", "")
