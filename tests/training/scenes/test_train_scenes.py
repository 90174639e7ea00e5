"""A few real steps of learning, and what becomes of them."""

import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")

from rich.progress import Progress

from training.scenes.fit import SceneFitting, fit
from training.scenes.painter import loss_of
from training.scenes.run import SceneRun
from training.scenes.tensors import as_tensor
from training.scenes.vocabulary import learn_tokenizer
from vision.imagery.brief import Layout, Light
from vision.imagery.diffusion.opening import open_generator
from vision.imagery.scenes.scene import SceneAsk, Step

pytestmark = pytest.mark.torch
SMALL = SceneRun(steps=4, layout_steps=3, scenes=64, batch_size=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of four steps; not to be changed."""
    out = tmp_path_factory.mktemp("trained") / "run"
    SMALL.begin(out)
    fit(SMALL, out)
    return out


def test_a_run_leaves_a_pipeline_that_the_driver_opens(trained: Path) -> None:
    ask = SceneAsk(words="blue wall", layout=Layout(horizon=0.5, light=Light.LEFT), size_wh=(80, 60), seed=1)
    told: list[Step] = []

    generator = open_generator(trained / "model")
    scene = generator.generate(ask, told.append)

    assert scene.image_hwc.shape == (60, 80, 3)
    assert scene.layout == ask.layout
    assert scene.record["painted_wh"] == [64, 64]
    assert len(told) == told[0].steps == 25


def test_the_folder_is_small_and_says_where_it_comes_from(trained: Path) -> None:
    files = [path for path in (trained / "model").rglob("*") if path.is_file()]
    provenance = json.loads((trained / "model" / "provenance.json").read_bytes())

    assert sum(path.stat().st_size for path in files) <= 17e6
    assert provenance["licence"] == "Apache-2.0"
    assert provenance["run"]["result"]["steps"] == 4
    assert provenance["run"]["result"]["layout_steps"] == 3
    assert not (trained / "checkpoint.pt").exists()


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    trained: Path, tmp_path: Path
) -> None:
    silent = Progress(disable=True)
    stopped = SceneFitting(SMALL, tmp_path, silent)
    stopped.step()
    stopped.step()
    stopped.checkpoint()

    resumed = SceneFitting(SMALL, tmp_path, silent)
    resumed.restore()
    resumed.run(silent)

    straight = SceneFitting(SMALL, tmp_path / "elsewhere", silent)
    while straight.progress() < 1:
        straight.step()
    for one, other in zip(resumed.painter.parameters(), straight.painter.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_learns(tmp_path: Path) -> None:
    fitting = SceneFitting(SMALL.model_copy(update={"steps": 30}), tmp_path, Progress(disable=True))
    pictures, captions, _ = fitting.lesson.batch(999, 16)
    (latents,) = fitting.vae.encode(as_tensor(pictures), return_dict=False)
    tokens = fitting.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids

    def loss() -> float:
        with torch.no_grad():
            draw = torch.Generator().manual_seed(5)
            return float(loss_of(fitting.painter, latents, tokens, fitting.kept, draw))

    before = loss()
    while fitting.progress() < 1:
        fitting.step()

    assert loss() < 0.9 * before


@pytest.mark.parametrize("text", ["blue wall, wood table", "蓝色墙面，木质桌面", "a Zebra & 42 ducks"])
def test_no_word_of_any_language_is_unknown_to_the_tokenizer(text: str) -> None:
    tokenizer = learn_tokenizer(["blue wall", "蓝色墙面"], size=600)

    assert 514 < len(tokenizer) <= 600
    tokens = tokenizer(text).input_ids[1:-1]
    assert len(set(tokens)) > 3
    assert tokenizer.decode(tokens).replace(" ", "") == text.lower().replace(" ", "")


def test_words_that_captions_are_full_of_are_one_token() -> None:
    tokenizer = learn_tokenizer(["marble wall, 大理石"] * 50, size=600)

    assert len(tokenizer("marble").input_ids) == 3
    assert len(tokenizer("大理石").input_ids) == 3
