import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vision.errors import CancelledError
from vision.imagery.brief import PROCEDURAL, Layout, Light
from vision.imagery.look import Table
from vision.imagery.scenes.procedural.generator import ProceduralScenes
from vision.imagery.scenes.procedural.reading import Reader, layout_of
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import any_studio, quiet_studio
from vision.imagery.scenes.scene import SceneAsk, Step


def ask(words: str = "blue wall, wood table", **options: object) -> SceneAsk:
    given: dict[str, object] = {"layout": Layout(), "size_wh": (96, 64), "seed": 5, "words": words} | options
    return SceneAsk(**given)  # type: ignore[arg-type]


def nothing(_: Step) -> None:
    pass


def test_a_scene_has_the_size_and_the_layout_asked_for() -> None:
    scene = ProceduralScenes().generate(
        ask(size_wh=(301, 203), layout=Layout(horizon=0.4, light=Light.RIGHT)), nothing
    )

    assert scene.image_hwc.shape == (203, 301, 3)
    assert scene.image_hwc.dtype == np.uint8
    assert scene.layout == Layout(horizon=0.4, light=Light.RIGHT)
    seen = layout_of(scene.image_hwc)
    assert seen.horizon == pytest.approx(0.4, abs=0.02)
    assert seen.light is Light.RIGHT


def test_a_layout_has_no_gaps_where_nobody_asked() -> None:
    layout = ProceduralScenes().generate(ask("?"), nothing).layout

    assert layout.horizon is not None
    assert layout.light is not None


def test_the_record_says_what_was_understood_and_assumed() -> None:
    record = ProceduralScenes().generate(ask("pink wall, a zebra"), nothing).record

    assert record["wall"] == "pink"
    assert record["assumed"] == ["depth", "horizon", "light", "softness", "table"]
    assert record["not_understood"] == ["zebra"]


def test_the_same_ask_gives_the_same_pixels_and_another_seed_others() -> None:
    generator = ProceduralScenes()

    first, again = (generator.generate(ask(), nothing).image_hwc for _ in range(2))
    other = generator.generate(ask(seed=6), nothing).image_hwc

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_another_process_draws_the_same_pixels() -> None:
    script = (
        "import hashlib; from tests.vision.imagery.scenes.test_procedural import *; "
        "print(hashlib.sha256(ProceduralScenes().generate(ask(), nothing).image_hwc.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }

    assert len(digests) == 1


@pytest.mark.parametrize("table", Table)
def test_another_size_is_the_same_scene(table: Table) -> None:
    studio = replace(quiet_studio(2), table=table)

    small = render(studio, (96, 96), 8).astype(np.float64)
    large = render(studio, (768, 768), 8)

    shrunk = cv2.resize(large, (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(small - shrunk).mean() < 2.5


def test_slow_ramps_show_no_bands() -> None:
    wall = render(quiet_studio(2), (512, 512), 1)[:200].astype(np.int64)

    assert np.abs(np.diff(wall, axis=1)).max() <= 2
    assert (np.diff(wall[10, :, 0]) != 0).mean() > 0.1  # levels change all along, not in steps


def test_two_steps_are_told_and_the_first_shows_the_scene_small() -> None:
    told: list[Step] = []

    scene = ProceduralScenes().generate(ask(size_wh=(400, 300)), told.append)

    assert [(step.done, step.steps) for step in told] == [(1, 2), (2, 2)]
    preview = told[0].preview_hwc
    assert preview is not None
    assert preview.shape == (96, 128, 3)
    shrunk = cv2.resize(scene.image_hwc, (128, 96), interpolation=cv2.INTER_AREA).astype(np.float64)
    assert np.abs(preview - shrunk).mean() < 4


def test_whoever_is_told_may_cancel() -> None:
    def cancel(_: Step) -> None:
        raise CancelledError("enough")

    with pytest.raises(CancelledError, match="enough"):
        ProceduralScenes().generate(ask(), cancel)


def test_it_names_itself_and_what_its_pixels_depend_on() -> None:
    generator = ProceduralScenes()

    assert generator.name == PROCEDURAL
    assert not generator.synthetic
    assert set(generator.fingerprint) == {"formulas", "numpy", "opencv", "processor"}


def test_it_needs_no_torch() -> None:
    script = (
        "import sys; from vision.imagery.scenes.procedural.generator import ProceduralScenes; ProceduralScenes(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_pictures_of_studios_are_read_back() -> None:
    reader = Reader.fitted(scenes=1000)
    rng = np.random.default_rng(77)
    studios = [any_studio(rng) for _ in range(200)]

    read = [reader.read(render(studio, (64, 64), 5_000_000 + n)) for n, studio in enumerate(studios)]

    pairs = list(zip(studios, read, strict=True))
    assert np.mean([one.wall is studio.wall for studio, one in pairs]) >= 0.99
    assert np.mean([one.table is studio.table for studio, one in pairs]) >= 0.97
    assert np.mean([one.layout.light is studio.light for studio, one in pairs]) >= 0.97
    away = [abs((one.layout.horizon or 0) - studio.horizon) for studio, one in pairs]
    assert np.median(away) <= 0.01
