"""A diffusion model paints over the product, as they do; in the master the product is the photo's all the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.goods import goods
from tests.vision.imagery.products import ignore
from vision.errors import LoupeError
from vision.image import encode_png
from vision.imagery.brief import read_brief
from vision.imagery.create import ask_of, generator_named, generator_of, make, prepare
from vision.imagery.folder import write_candidate, write_inputs
from vision.imagery.kept import encode_alpha, read_kept, sha256
from vision.imagery.replay import Verdict, replay
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import quiet_studio

pytest.importorskip("diffusers", reason="needs the extra diffusion")
from tests.vision.imagery.diffusion.checkpoints import stable_diffusion

pytestmark = pytest.mark.torch

BOX = goods("box", seed=1, side=500)


def test_inpainting_changes_the_product_and_the_master_does_not(tmp_path: Path) -> None:
    stable_diffusion(tmp_path / "models" / "tiny", inpaints=True)
    brief = read_brief(
        {"scene": "a red wall", "rules": ["google.merchant"], "generator": "tiny", "size_wh": (320, 256)}
    )
    prepared = prepare(BOX.photo_png, encode_alpha(BOX.alpha_hw), brief)
    tiny = generator_named("tiny", tmp_path / "models")
    locked = prepared.placed.locked_hw
    scene = tiny.generate(ask_of(brief, 1, prepared.layout, prepared.placed), ignore).image_hwc
    changed = (scene[locked] != prepared.placed.image_hwc[locked]).any(axis=1)
    assert changed.mean() > 0.9  # plain inpainting

    candidate = make(prepared, brief, 1, tiny, ignore)
    assert (candidate.lock.pixels, candidate.lock.changed) == (int(np.count_nonzero(locked)), 0)
    assert candidate.manifest.scene.synthetic
    write_inputs(tmp_path, BOX.photo_png, prepared.alpha_png)
    kept = read_kept(Path(write_candidate(tmp_path, candidate)["manifest"]))
    found = replay(kept, lambda manifest: generator_of(manifest, tmp_path / "models"), ignore)
    assert found.verdict is Verdict.EXACT
    assert found.differing == ()

    ran = {**candidate.manifest.scene.fingerprint, "offload": "yes"}
    scene_then = candidate.manifest.scene.model_copy(update={"fingerprint": ran})
    with pytest.raises(LoupeError, match="offload: expected with a GPU alone"):
        generator_of(candidate.manifest.model_copy(update={"scene": scene_then}), tmp_path / "models")

    settings = tmp_path / "models" / "tiny" / "loupe-model.toml"
    settings.write_text(settings.read_text().replace("steps = 4", "steps = 5"))
    other = replay(kept, lambda manifest: generator_of(manifest, tmp_path / "models"), ignore)
    assert other.verdict is Verdict.NOT
    assert other.reasons[0] == "the scene is another"
    assert "scene: model: recorded" in json.dumps(other.reasons)


@pytest.mark.parametrize("inpaints", [False, True])
def test_an_image_begun_from_a_style_picture_is_locked_and_replays_exactly(
    inpaints: bool, tmp_path: Path
) -> None:
    stable_diffusion(tmp_path / "models" / "tiny", inpaints=inpaints)
    style = encode_png(render(quiet_studio(4), (160, 90), 4))
    brief = read_brief(
        {"style": sha256(style), "rules": ["google.merchant"], "generator": "tiny", "size_wh": (320, 256)}
    )
    prepared = prepare(BOX.photo_png, encode_alpha(BOX.alpha_hw), brief, style)

    candidate = make(prepared, brief, 1, generator_named("tiny", tmp_path / "models"), ignore)

    assert candidate.lock.kept
    assert candidate.manifest.scene.record["style_strength"] == 0.75
    write_inputs(tmp_path, BOX.photo_png, prepared.alpha_png, style)
    kept = read_kept(Path(write_candidate(tmp_path, candidate)["manifest"]))
    found = replay(kept, lambda manifest: generator_of(manifest, tmp_path / "models"), ignore)
    assert (found.verdict, found.differing) == (Verdict.EXACT, ())
