"""A server's answer is shown as a bundle's is: with all that the tutorial says of it."""

import io

import pytest

pytest.importorskip("grpc")

from rich.console import Console

from vision.client.catalog_values import (
    Category,
    CategoryLevel,
    CategoryPath,
    CategoryReasons,
    CategoryStatus,
)
from vision.commands.catalog_remote import category_as_json, names_of
from vision.commands.categorizations import shown, shown_reasons

THERE = Category(
    status=CategoryStatus.NOVEL,
    levels=(
        CategoryLevel(
            level="family", label="shoes", name="鞋", probability=0.6, threshold=0.7, answered=True
        ),
        CategoryLevel(level="kind", label="[b]", name="[b]", probability=0.8, threshold=0.75, answered=True),
    ),
    certified=False,
    alternatives=(
        CategoryPath(labels=("shoes", "[b]"), probability=0.8),
        CategoryPath(labels=("tops", "tees"), probability=0.1),
    ),
    novelty=1.5,
    modalities=("image", "text"),
    quality_faults=("photo 2: blank frame",),
    not_understood={"brand": "[/b]"},
)


def printed(parts: list[object]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    for one in parts:
        console.print(one, highlight=False)
    return out.getvalue()


def test_all_of_it_is_shown() -> None:
    said = printed([*shown(THERE, names_of(THERE))])
    for line in (
        "novel from image, text",
        "鞋 (shoes) 0.600, certified from 0.700, follows from the level below",
        "[b] 0.800, certified from 0.750",
        "a photo was left out: photo 2: blank frame",
        "not understood: brand = [/b]: the model has not learned it",
        "unlike all that was learned: 1.50 times as far away as known products are",
        "no certificate: the whole path is answered, however probable",
    ):
        assert line in said
    assert "Most probable" in said
    assert "tees" in said


def test_why_adds_up() -> None:
    why = CategoryReasons(
        level="kind", label="[b]", rival="tees", shares={"image": 2.0, "text": 1.25, "bias": -0.25},
        words=(("court", 1.25),), attributes=(("season", "[/i]", 0.5),),
    )  # fmt: skip
    said = printed([*shown_reasons(why)])
    for part in ("Why [b] rather than tees (kind)", "+3.00", "words: court +1.25", "season = [/i] +0.50"):
        assert part in said


def test_the_json_is_that_of_a_bundle() -> None:
    said = category_as_json(THERE)
    assert said["levels"][0] == {
        "level": "family", "label": "shoes", "name": "鞋", "probability": 0.6, "threshold": 0.7, "answered": True,
    }  # fmt: skip
    assert said["alternatives"][1] == {"labels": ["tops", "tees"], "probability": 0.1}
    assert (said["depth"], said["not_understood"]) == (2, {"brand": "[/b]"})
