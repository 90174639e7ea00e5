"""Words that ask for lettering are refused at once; words that say there shall be none are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("墙上有品牌logo", "logo"),
        ("大理石桌面LOGO，柔光", "LOGO"),
        ("a wall with a ｌｏｇｏ", "logo"),
        ("a wall with a lógo", "logo"),
        ("logo_large on the wall", "logo"),
        ("no props but a big golden logo", "logo"),
        ("no text and a golden logo", "logo"),
        ("not far from the wall a logo", "logo"),
        ("a logo free-standing on the table", "logo"),
        ("没有道具但有金色标志", "标志"),
        ("无缝背景墙上的文字", "文字"),
        ("无缝背景，无印良品标志", "标志"),
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
        "oak table, no text and logos",
        "a wall without any visible third-party brand logos",
        "free of the usual text",
        "text-free background",
        "logo free wall",
        "a table in our brand blue",
        "白色大理石桌面，柔和的左侧光",
        "木桌，不要文字和水印",
        "没有文字、标志或二维码",
        "不带有任何品牌logo的桌面",
        "plain-white",
    ],
)
def test_scenes_and_what_they_shall_not_have_are_words_for_a_scene(words: str) -> None:
    check_words(words)


@given(
    no=st.sampled_from(["no", "without", "never any", "free of", "not a"]),
    thing=st.sampled_from(["props", "shadow", "dark corners", "plants or people"]),
    but=st.sampled_from(["but", "and", "with", "plus", "just", "beside", ","]),
    article=st.sampled_from(["", "a", "the", "our"]),
    kind=st.sampled_from(["", "big golden", "printed"]),
    lettering=st.sampled_from(["logo", "Slogans", "price tag", "文字", "QR code"]),
)
def test_what_shall_not_be_there_ends_where_something_else_begins(
    no: str, thing: str, but: str, article: str, kind: str, lettering: str
) -> None:
    asked = " ".join(f"oak table {no} {thing} {but} {article} {kind} {lettering}".split())
    with pytest.raises(ImageryError):
        check_words(asked)
    check_words(" ".join(f"oak table, no {kind} {lettering} {but} {thing}".split()))


@given(
    before=st.sampled_from(["有品牌", "桌面", "x 1", "墙 "]), after=st.sampled_from(["", "墙", "，柔光", "2"])
)
def test_a_logo_is_one_whatever_script_it_stands_in(before: str, after: str) -> None:
    with pytest.raises(ImageryError, match="found 'logo'"):
        check_words(f"{before}logo{after}")
