"""Words that ask for lettering are refused at once; words that say there shall be none are not."""

import pytest

from vision.errors import ImageryError
from vision.imagery.words import check_words


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("white marble table with the text SALE", "text"),
        ("a wall with our logo", "logo"),
        ("a wall with Logos of famous brands", "Logos"),
        ('a sign saying "50% off"', "sign saying"),
        ('wooden table, "SUMMER" above it', '"SUMMER"'),
        ("a slogan on the wall", "slogan"),
        ("a price  tag on the table", "price  tag"),
        ("白色大理石桌面，背景有文字", "文字"),
        ("墙上有品牌标志", "标志"),
        ("no shadows at all, and on the far wall there are large letters", "letters"),
    ],
)
def test_asking_for_lettering_is_refused(words: str, quoted: str) -> None:
    with pytest.raises(ImageryError) as refused:
        check_words(words)
    assert repr(quoted) in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        "white marble table, soft light from the left",
        "textured plaster wall, logical arrangement",
        "oak table, no text",
        "oak table without text or logos",
        "text-free background",
        "logo free wall",
        "a table in our brand blue",
        "白色大理石桌面，柔和的左侧光",
        "木桌，不要文字和水印",
        "plain-white",
    ],
)
def test_scenes_and_what_they_shall_not_have_are_words_for_a_scene(words: str) -> None:
    check_words(words)
