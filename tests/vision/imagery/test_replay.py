"""A candidate is made again to the last bit, in this process or another; where not, what differs is named."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from tests.goods import goods
from tests.vision.imagery.products import Noisy, ignore, noise
from vision.errors import CancelledError, DeviceError, ImageryError, MissingExtraError
from vision.image import encode_png
from vision.imagery.brief import Brief, read_brief
from vision.imagery.create import generator_named, make, prepare
from vision.imagery.folder import write_candidate, write_inputs
from vision.imagery.kept import Kept, read_kept, sha256
from vision.imagery.look import Look, Wall
from vision.imagery.manifest import Manifest
from vision.imagery.replay import Replayed, Verdict, replay
from vision.imagery.scenes.procedural.generator import ProceduralScenes
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import quiet_studio
from vision.imagery.scenes.scene import OnStep, Scene, SceneAsk, SceneGenerator, Step

SHOE = goods("shoe", seed=2, side=900)


def kept_with(
    generator: SceneGenerator, folder: Path, *, style: bytes | None = None, **changed: object
) -> Kept:
    usual = {"scene": "oak table", "rules": ["google.merchant"], "size_wh": (512, 512), "seed": 3}
    named = {"generator": generator.name, "style": None if style is None else sha256(style)}
    brief: Brief = read_brief(usual | named | changed)
    prepared = prepare(SHOE.photo_png, None, brief, style)
    write_inputs(folder, SHOE.photo_png, prepared.alpha_png, style)
    written = write_candidate(folder, make(prepared, brief, 2, generator, ignore))
    return read_kept(Path(written["manifest"]))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return kept_with(Noisy(), tmp_path_factory.mktemp("kept"))


class Drifting(Noisy):
    """Noise of which a few values come out otherwise, as on another processor."""

    def __init__(self, *, values: int, levels: int, fingerprint: Mapping[str, str] = {}) -> None:
        super().__init__(fingerprint=fingerprint)
        self._values, self._levels = values, levels

    @override
    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        scene = super().generate(ask, on_step)
        flat = scene.image_hwc.reshape(-1)[: self._values]  # of the uppermost rows, where no product is
        flat[:] = np.where(flat < 128, flat + self._levels, flat - self._levels)
        return scene


def again(kept: Kept, generator: SceneGenerator) -> Replayed:
    return replay(kept, lambda manifest: generator, ignore)


def test_made_again_it_is_exact_every_time(kept: Kept) -> None:
    for _ in range(2):
        assert again(kept, Noisy()) == Replayed(verdict=Verdict.EXACT, max_delta=0, changed=0.0)


def test_exact_pixels_are_exact_whatever_the_fingerprint_says(kept: Kept) -> None:
    found = again(kept, Noisy(fingerprint={"threads": "2"}))
    assert (found.verdict, found.reasons) == (Verdict.EXACT, ())
    assert found.differing == ("scene: threads: recorded none, here 2",)


def test_a_small_drift_is_within_tolerance_and_measured(kept: Kept) -> None:
    found = again(kept, Drifting(values=300, levels=1, fingerprint={"noise": "2"}))
    assert found.verdict is Verdict.WITHIN
    assert found.max_delta in {1, 2}  # the composition's light may double it
    assert found.changed == pytest.approx(300 / (512 * 512 * 3), rel=0.1)
    assert found.reasons == ("the scene is another", "scene: noise: recorded 1, here 2")


@pytest.mark.parametrize(("values", "levels"), [(300, 9), (2000, 1)])
def test_beyond_the_tolerance_it_is_not_reproducible(values: int, levels: int, kept: Kept) -> None:
    found = again(kept, Drifting(values=values, levels=levels))
    assert found.verdict is Verdict.NOT
    assert found.max_delta is not None
    assert found.reasons == (
        "the scene is another",
        "the run time is the recorded one in all that a manifest records",
    )


def test_every_key_of_the_fingerprint_that_differs_is_named(kept: Kept) -> None:
    scene = kept.manifest.scene.model_copy(
        update={"fingerprint": {"noise": "1", "torch": "2.13", "device": "cuda"}}
    )
    compose = kept.manifest.compose.model_copy(update={"version": 0, "fingerprint": {"opencv": "4.12"}})
    older = kept.manifest.model_copy(update={"scene": scene, "compose": compose, "master": "0" * 64})
    found = again(replace(kept, manifest=older, master_png=None), Noisy())
    assert found.verdict is Verdict.NOT
    named = {one.split(",")[0] for one in found.differing}
    assert named == {
        "scene: device: recorded cuda",
        "scene: torch: recorded 2.13",
        "composition: numpy: recorded none",
        "composition: opencv: recorded 4.12",
        "composition: version: recorded 0",
    }
    assert "the scene is the same, its composition is not" in found.reasons


def test_missing_and_other_inputs_are_named(kept: Kept) -> None:
    found = again(replace(kept, photo=None, alpha_png=None), Noisy())
    assert found.reasons == (
        "photo: expected beside the manifest, found none",
        "alpha.png: expected beside the manifest, found none",
    )
    other = again(replace(kept, photo=encode_png(noise(900, 900))), Noisy())
    assert other.verdict is Verdict.NOT
    assert other.reasons[0].startswith(f"photo: expected sha256 {kept.manifest.photo}, found ")


def test_without_the_master_exact_can_be_said_and_nothing_else(kept: Kept) -> None:
    alone = replace(kept, master_png=None)
    assert again(alone, Noisy()).verdict is Verdict.EXACT
    found = again(alone, Drifting(values=3, levels=1))
    assert (found.verdict, found.max_delta) == (Verdict.NOT, None)
    assert found.reasons[0] == "master: expected beside the manifest to compare with, found none"
    tampered = replace(kept, master_png=encode_png(noise(512, 512)))
    assert again(tampered, Noisy()).verdict is Verdict.EXACT
    assert again(tampered, Drifting(values=3, levels=1)).reasons[0] == (
        "master: its pixels are not those that the manifest speaks of"
    )


def test_a_style_picture_is_needed_again_and_has_to_be_the_same(tmp_path: Path) -> None:
    style = encode_png(render(quiet_studio(4), (128, 128), 4))
    kept = kept_with(ProceduralScenes(), tmp_path, style=style)
    assert (tmp_path / "style.png").read_bytes() == style

    assert again(kept, ProceduralScenes()).verdict is Verdict.EXACT
    absent, other = (replace(kept, style=one) for one in (None, encode_png(noise(128, 128))))
    assert again(absent, ProceduralScenes()) == Replayed(
        verdict=Verdict.NOT, reasons=("style: expected beside the manifest, found none",)
    )
    (reason,) = again(other, ProceduralScenes()).reasons
    assert reason.startswith(f"style: expected sha256 {kept.manifest.brief.style}, found ")


def test_a_look_that_would_be_read_otherwise_now_is_taken_as_it_was_read_then(tmp_path: Path) -> None:
    style = encode_png(render(quiet_studio(4), (128, 128), 4))
    kept = kept_with(ProceduralScenes(), tmp_path, style=style)
    scene = kept.manifest.scene.model_copy(update={"look": Look(wall=Wall.PURPLE)})
    then = replace(kept, manifest=kept.manifest.model_copy(update={"scene": scene}))

    assert again(then, ProceduralScenes()).verdict is Verdict.NOT


@pytest.mark.parametrize(
    "error",
    [
        ImageryError("generator: expected one of a, b"),
        MissingExtraError("diffusion", "torch"),
        DeviceError("cuda: expected a GPU, found none"),
    ],
)
def test_a_generator_that_cannot_be_opened_is_the_reason(error: Exception, kept: Kept) -> None:
    def refuse(manifest: Manifest) -> SceneGenerator:
        assert manifest.brief.generator == "noisy"
        raise error

    found = replay(kept, refuse, ignore)
    assert (found.verdict, found.reasons) == (Verdict.NOT, (f"it cannot be made again: {error}",))


def test_it_can_be_stopped(kept: Kept) -> None:
    def stop(step: Step) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        replay(kept, lambda manifest: Noisy(), stop)


@pytest.mark.parametrize("name", ["plain-white", "procedural"])
def test_generators_of_the_package_replay_exactly_in_another_process(name: str, tmp_path: Path) -> None:
    kept_with(generator_named(name), tmp_path)
    loupe = str(Path(sys.executable).with_name("loupe"))
    command = [loupe, "imagery", "replay", str(tmp_path / "candidate-2.json"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "exact"
