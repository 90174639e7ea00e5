"""The model that the package carries: whole, small, obedient, and the same in every process."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from vision.imagery.brief import STUDIO, Layout, Light
from vision.imagery.diffusion.admission import admit
from vision.imagery.diffusion.generator import DiffusionScenes
from vision.imagery.diffusion.opening import STUDIO_FOLDER, open_generator
from vision.imagery.look import Look, Table, Wall
from vision.imagery.scenes.procedural.reading import Reader, layout_of
from vision.imagery.scenes.scene import Scene, SceneAsk, Step, Style
from vision.imagery.style import look_of


@pytest.fixture(scope="module")
def studio() -> DiffusionScenes:
    return open_generator(STUDIO)


def scene_of(generator: DiffusionScenes, words: str, layout: Layout | None = None, seed: int = 1) -> Scene:
    def nothing(_: Step) -> None:
        pass

    ask = SceneAsk(words=words, layout=layout or Layout(), size_wh=(256, 256), seed=seed)
    return generator.generate(ask, nothing)


def test_it_is_carried_whole_pinned_and_small() -> None:
    admitted = admit(STUDIO_FOLDER)

    assert admitted.settings.pinned
    assert sum((STUDIO_FOLDER / name).stat().st_size for name in admitted.files) <= 17e6


def test_it_says_what_it_learned_from_and_under_which_licence() -> None:
    provenance = json.loads((STUDIO_FOLDER / "provenance.json").read_bytes())

    assert provenance["licence"] == admit(STUDIO_FOLDER).settings.licence == "Apache-2.0"
    assert "no picture of anybody" in provenance["data"]
    assert provenance["run"]["result"]["steps"] > 1000
    assert len(provenance["run"]["code"]) == 64


def test_the_same_ask_gives_the_same_pixels_in_another_process(studio: DiffusionScenes) -> None:
    words = "blue wall, wood table"
    script = (
        "import hashlib; from tests.vision.imagery.diffusion.test_studio64 import *; "
        f"print(hashlib.sha256(scene_of(open_generator(STUDIO), {words!r}).image_hwc.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    here = hashlib.sha256(scene_of(studio, words).image_hwc.tobytes()).hexdigest()
    assert done.stdout.strip() == here
    assert studio.fingerprint["threads"] == "1"


@pytest.mark.slow
def test_walls_are_of_the_colour_asked_for(studio: DiffusionScenes) -> None:
    reader = Reader.fitted(scenes=800)

    read = [reader.read(scene_of(studio, f"{wall} wall, marble table").image_hwc).wall for wall in Wall]

    assert sum(one is wall for one, wall in zip(read, Wall, strict=True)) >= 11


def test_it_keeps_to_the_layout(studio: DiffusionScenes) -> None:
    for horizon, light in ((0.4, Light.LEFT), (0.75, Light.RIGHT)):
        scene = scene_of(studio, "teal wall, wood table", Layout(horizon=horizon, light=light))

        seen = layout_of(scene.image_hwc)
        assert scene.layout == Layout(horizon=horizon, light=light)
        assert seen.horizon == pytest.approx(horizon, abs=0.06)
        assert seen.light is light


def test_another_seed_is_another_scene(studio: DiffusionScenes) -> None:
    one, other = (scene_of(studio, "pink wall, linen cloth", seed=seed).image_hwc for seed in (1, 2))

    assert not np.array_equal(one, other)


def test_a_style_picture_comes_to_it_in_words_alone(studio: DiffusionScenes) -> None:
    def styled(look: Look, level: int) -> Scene:
        style = Style(image_hwc=np.full((80, 80, 3), level, np.uint8), look=look)
        ask = SceneAsk(words="", layout=Layout(), size_wh=(256, 256), seed=1, style=style)
        return studio.generate(ask, lambda _: None)

    blue = Look(wall=Wall.BLUE, table=Table.WOOD, light=Light.LEFT, horizon=0.6)
    scene = styled(blue, 20)

    assert str(scene.record["prompt"]).startswith("blue wall, wood table, light from the left")
    assert (scene.record["wall"], scene.layout) == ("blue", Layout(horizon=0.6, light=Light.LEFT))
    assert scene.record["from_style"] == ["wall", "table", "light", "horizon"]
    assert np.array_equal(scene.image_hwc, styled(blue, 240).image_hwc)
    assert look_of(scene.image_hwc).wall is Wall.BLUE
