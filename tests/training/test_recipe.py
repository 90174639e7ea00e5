"""A recipe is read whole and checked at once; what is wrong in it is named."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from training.recipe import RECIPES, Recipe, read_recipe
from vision.errors import SettingsError

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))

SMALL = """
backbone = "resnet18"
stages = [{ until = 0.5, size_px = 64 }, { until = 1.0, size_px = 96 }]
[preprocess]
size_wh = [96, 96]
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_there_are_recipes() -> None:
    assert {"resnet18", "resnet50", "resnet50-fine"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_recipe_is_read_by_its_name(name: str) -> None:
    recipe = read_recipe(name)

    assert recipe.name == name
    assert recipe.preprocess.size_wh == (recipe.size_px(1.0),) * 2
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_recipe_tells_its_result_duration_and_command(name: str) -> None:
    head = (RECIPES / f"{name}.toml").read_text().split("\n\n")[0]

    assert all(word in head for word in ("Result:", "Duration:", f"--recipe {name}"))


def test_ones_own_recipe_is_read_by_its_path_and_has_the_files_name(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, SMALL))

    assert (recipe.name, recipe.backbone, recipe.size_px(1.0)) == ("mine", "resnet18", 96)


@pytest.mark.parametrize(
    ("progress", "size_px"), [(0.0, 64), (0.499, 64), (0.5, 64), (0.501, 96), (0.9, 96), (1.0, 96)]
)
def test_the_size_of_a_picture_follows_the_progress_of_the_run(
    tmp_path: Path, progress: float, size_px: int
) -> None:
    assert read_recipe(written(tmp_path, SMALL)).size_px(progress) == size_px


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learing_rate": 1e-3}, "learing_rate"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"tune_fraction": 0}, "tune_fraction"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"task": "segmentation"}, "task"),
        ({"augment": {"zoom": 0.9}}, r"augment\.zoom"),
        ({"augment": {"shear": 1}}, r"augment\.shear"),
        ({"preprocess": {"size_wh": [96, 96], "fit": "squash"}}, r"preprocess\.fit"),
        (
            {"preprocess": {"size_wh": [96, 64]}},
            r"preprocess\.size_wh: expected the last stage's size \(96, 96\)",
        ),
        ({"stages": []}, "stages"),
        ({"stages": [{"until": 1.0, "size_px": 100}]}, r"stages\.0\.size_px"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(toml({**tomllib.loads(SMALL), **change}))

    with pytest.raises(SettingsError, match=rf"(?s)mine\.toml: .*{named}"):
        read_recipe(str(recipe))


@pytest.mark.parametrize("ends", [[0.9], [0.5, 0.9], [0.6, 0.5, 1.0], [0.5, 0.5, 1.0], [1.0, 1.0]])
def test_stages_must_rise_and_end_with_the_run(tmp_path: Path, ends: list[float]) -> None:
    stages = [{"until": end, "size_px": 96} for end in ends]

    with pytest.raises(SettingsError, match=r"expected rising 'until' values that end with 1\.0") as refused:
        read_recipe(written(tmp_path, toml({**tomllib.loads(SMALL), "stages": stages})))
    assert f"found {ends}" in str(refused.value)


def test_a_recipe_without_a_backbone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"backbone\s+Field required"):
        read_recipe(written(tmp_path, SMALL.replace('backbone = "resnet18"', "")))


def test_a_recipe_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mine\.toml: "):
        read_recipe(written(tmp_path, "backbone = resnet18"))


@pytest.mark.parametrize("name", ["resnet51", "elsewhere/mine.toml", "", "../recipe"])
def test_a_recipe_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(
        SettingsError, match=f"expected one of {', '.join(NAMES)} or a .toml file, found '{name}'"
    ):
        read_recipe(name)


def toml(values: dict[str, Any]) -> str:
    """The little TOML these tests need: every value inline, which JSON's notation nearly is."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {inline(inner)}" for key, inner in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return f'"{value}"' if isinstance(value, str) else str(value)

    return "\n".join(f"{key} = {inline(value)}" for key, value in values.items())
