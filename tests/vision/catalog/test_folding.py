"""Two spellings of one word are one, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.catalog.folding import fold, nearest

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("  Nike\t Air\n", "nike air"),
        ("ＮＩＫＥ　Ａｉｒ", "nike air"),  # full width, ideographic blank
        ("Straße", "strasse"),
        ("Cafe\u0301", "café"),  # composed
        ("ﬁne ½", "fine 1⁄2"),  # ligature, fraction
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("sh\u00ado\u200bes\ufeff", "shoes"),  # soft hyphen, zero-width blank, byte order mark
        ("a\x00b\x07c", "abc"),
        ("\u202bحذاء\u202c", "حذاء"),  # right-to-left, without its embedding
        ("می\u200cروم", "میروم"),
        ("ﾊﾝﾄﾞ", "ハンド"),  # half width
        ("❤\ufe0f", "❤"),  # an emoji's colour
        ("a\ud800b", "ab"),
    ],
)
def test_what_cannot_be_told_apart_is_folded(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(ANY_TEXT)
def test_folding_what_is_folded_changes_nothing_and_leaves_plain_text(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert folded.encode().decode() == folded
    assert folded == " ".join(folded.split())


def test_the_nearest_words_come_first_in_their_own_spelling() -> None:
    assert nearest("SANDLES", ["Boots", "Sandal", "Sandals"]) == ("Sandals", "Sandal")
    assert nearest("鞋", ["Boots"]) == ()
