"""What somebody wrote becomes a brief, or an error that names the field and what was found."""

from typing import Any

import pytest

from vision.errors import ImageryError
from vision.imagery.brief import MAX_SEED, Layout, read_brief

STYLE = "5" * 64
USUAL: dict[str, Any] = {"scene": "white marble table", "rules": ["google.merchant"]}


def test_what_is_left_out_is_the_usual() -> None:
    brief = read_brief(USUAL)
    assert (brief.generator, brief.size_wh, brief.count, brief.layout) == (
        "studio-64",
        (1600, 1600),
        4,
        Layout(),
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scene": "marble " * 1429}, "brief: scene: String should have at most 1000 characters; found 10003 characters"),
        ({"scene": "marble\ntable"}, "expected words on one line, found the character U+000A"),
        ({"scene": "marble\x00table"}, "the character U+0000"),
        ({"scene": "marble\x1b[31mtable"}, "the character U+001B"),
        ({"scene": "a big lo\u200bgo"}, "the character U+200B"),
        ({"scene": "marble\u2028table"}, "the character U+2028"),
        ({"scene": "   "}, "brief: scene: Value error, expected words or a style picture, found neither; found '   '"),
        ({"scene": ""}, "brief: scene: Value error, expected words or a style picture, found neither; found ''"),
        ({"style": "shelf.jpg"}, "brief: style: String should match pattern"),
        ({"style": STYLE, "scene": "plain-white"}, "brief: scene: Value error, expected a scene with a look to a style picture, found plain-white"),
        ({"style": STYLE, "generator": "plain-white"}, "brief: generator: Value error, expected a scene with a look"),
        ({"style": STYLE, "scene": "marble\ntable"}, "expected words on one line"),
        ({"rules": []}, "brief: rules: Tuple should have at least 1 item"),
        ({"generator": "../models"}, "brief: generator: "),
        ({"layout": {"horizon": 0.1}}, "brief: layout.horizon: Input should be greater than or equal to 0.2; found 0.1"),
        ({"layout": {"light": "below"}}, "brief: layout.light: "),
        ({"size_wh": (100, 1600)}, "brief: size_wh.0: Input should be greater than or equal to 256; found 100"),
        ({"size_wh": (1600, 5000)}, "brief: size_wh.1: Input should be less than or equal to 4096; found 5000"),
        ({"count": 17}, "brief: count: "),
        ({"seed": -1}, "brief: seed: "),
        ({"mood": "warm"}, "brief: mood: Extra inputs are not permitted; found 'warm'"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named_with_what_was_found(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageryError) as refused:
        read_brief(USUAL | changed)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 400


def test_without_words_and_without_a_style_picture_nothing_is_asked_for() -> None:
    with pytest.raises(
        ImageryError, match="scene: Value error, expected words or a style picture, found neither"
    ):
        read_brief({"rules": ["shopify"]})


def test_a_style_picture_may_stand_for_the_words() -> None:
    brief = read_brief({"style": STYLE, "rules": ["shopify"]})
    assert (brief.style, brief.scene, brief.title) == (STYLE, "", "as in the style picture")


def test_a_brief_without_a_style_picture_is_written_as_before_there_were_any() -> None:
    assert "style" not in read_brief(USUAL).model_dump_json()
    assert read_brief(USUAL | {"style": None}) == read_brief(USUAL)


def test_seeds_follow_each_other_and_begin_again_at_the_end() -> None:
    brief = read_brief(USUAL | {"seed": MAX_SEED})
    assert [brief.seed_of(number) for number in (1, 2, 3)] == [MAX_SEED, 0, 1]
