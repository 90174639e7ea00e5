"""Titles become the same ids everywhere, whatever their language, and whatever they are."""

import os
import subprocess
import sys
import time
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.vision.catalog.test_folding import ANY_TEXT
from vision.catalog.text import TextSpec, batch, tokenise

SPEC: Final = TextSpec()
WORDS_ALONE: Final = TextSpec(words=(1, 1), characters=(16, 16))


def ids(title: str, spec: TextSpec = SPEC) -> list[int]:
    return [one for one in tokenise(title, spec).ids.tolist() if one]


def words(title: str) -> list[str]:
    return list(tokenise(title, SPEC).words)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Running shoes", [8349, 17220, 6854, 121, 17585, 22152, 22047, 15515]),
        ("Straße 42", [18138, 27149, 16593, 13933, 28091, 745, 14750, 2166]),
        ("跑步鞋", [24890, 11215, 23502, 12603, 5630, 5369, 1329, 21059]),
        ("رياضي حذاء", [9735, 4041, 18400, 21087, 4337, 26299, 16142, 5888]),
        ("รองเท้า", [24336, 8868, 8895, 2360, 1317, 18815, 30541, 10758]),
        ("👟", [27737, 29727]),
    ],
)
def test_ids_never_change(title: str, expected: list[int]) -> None:
    """A trained model is bound to these: a change here makes every bundle with a text branch void."""
    assert ids(title, TextSpec(length=8)) == expected


def test_another_process_gives_the_same_ids() -> None:
    program = "from vision.catalog.text import *; print(tokenise('Running shoes 跑步鞋 👟', TextSpec()).ids.tolist())"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert done.stdout.strip() == str(tokenise("Running shoes 跑步鞋 👟", SPEC).ids.tolist())


@given(ANY_TEXT, st.integers(2, 100), st.integers(1, 40))
def test_any_text_becomes_ids_in_range_each_with_its_word(title: str, buckets: int, length: int) -> None:
    spec = TextSpec(buckets=buckets, length=length)
    tokens = tokenise(title, spec)
    assert tokens.ids.shape == tokens.word_of.shape == (length,)
    assert tokens.ids.dtype == tokens.word_of.dtype == np.int64
    count = np.count_nonzero(tokens.ids)
    assert (count > 0) == bool(tokens.words)
    assert not tokens.ids[count:].any(), "padding comes last"
    assert (tokens.word_of[count:] == -1).all()
    assert all(1 <= one < buckets for one in tokens.ids[:count])
    assert len(set(tokens.ids[:count])) == count
    assert all(0 <= word < len(tokens.words) for word in tokens.word_of[:count])


@given(st.lists(st.text("abcß é鞋ท", max_size=8), max_size=8))
def test_case_spacing_and_composition_do_not_matter(parts: list[str]) -> None:
    title = " ".join(parts)
    assert ids(title) == ids(f"\t{title.upper()} \u200b\u3000") == ids(title.replace("é", "e\u0301"))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Nike T-Shirt, 2 pack (500ml)", ["nike", "t", "shirt", "2", "pack", "500ml"]),
        ("नीली साड़ी", ["नीली", "साड़ी"]),  # vowel signs belong to the word
        ("حذاء رياضي ٤٢", ["حذاء", "رياضي", "٤٢"]),  # right to left
        ("男士运动鞋", ["男", "士", "运", "动", "鞋"]),
        ("스니커즈 운동화", ["스니커즈", "운동화"]),  # Korean has blanks
        ("レディース", ["レ", "デ", "ィ", "ー", "ス"]),
        ("รองเท้า", ["ร", "อ", "ง", "เ", "ท้", "า"]),  # marks stay with their letter
        ("iPhone手机壳", ["iphone", "手", "机", "壳"]),
        ("👟👟 sale❤️!", ["👟", "👟", "sale", "❤"]),
        ("👩‍👧", ["👩", "👧"]),
        ("\u0301x", ["\u0301x"]),  # a mark without a letter
        ("... --- !!!", []),
        ("\x00\x1b\u200d\ud83d", []),
        ("", []),
    ],
)
def test_words_are_found_in_every_script(title: str, expected: list[str]) -> None:
    assert words(title) == expected
    assert bool(ids(title)) == bool(expected)


def test_words_and_characters_do_not_share_ids_though_they_are_spelled_alike() -> None:
    spec = TextSpec(buckets=1 << 24, words=(1, 1), characters=(3, 3))
    inner = set(ids("ashoeb", spec))
    assert not inner & set(ids("sho", WORDS_ALONE.model_copy(update={"buckets": 1 << 24})))
    assert len(inner) == 1 + 6, "the word; ' as', 'ash', 'sho', 'hoe', 'oeb', 'eb '"


def test_words_alike_in_part_share_ids_of_characters() -> None:
    spec = TextSpec(buckets=1 << 24)
    shared = set(ids("sandal", spec)) & set(ids("sandals", spec))
    assert len(shared) == 5 + 4 + 3, "' sa' to 'dal', ' san' to 'ndal', ' sand' to 'andal'"
    assert not set(ids("boots", spec)) & set(ids("sandal", spec))
    shared = set(ids("跑步鞋", spec)) & set(ids("新款跑步鞋男", spec))
    assert len(shared) == 3 + 2 + 1, "three words, two pairs, '跑步鞋'"


def test_an_id_speaks_for_a_word() -> None:
    spec = TextSpec(buckets=1 << 24, words=(1, 2), characters=(3, 3))
    tokens = tokenise("red 跑步鞋", spec)
    assert tokens.words == ("red", "跑", "步", "鞋")
    spoken = tokens.word_of[tokens.ids > 0].tolist()
    assert spoken[:4] == [0, 1, 2, 3], "words"
    assert spoken[4:7] == [0, 1, 2], "pairs speak for the first"
    assert spoken[7:] == [0, 0, 0, 1, 2, 3], "' re', 'red', 'ed '; ' 跑步', '跑步鞋', '步鞋 '"


def test_a_repeated_word_counts_once_where_it_came_first() -> None:
    tokens = tokenise("red shoe red shoe", WORDS_ALONE)
    assert tokens.words == ("red", "shoe", "red", "shoe")
    assert tokens.word_of[tokens.ids > 0].tolist() == [0, 1]


def test_what_does_not_fit_is_thinned_characters_before_words() -> None:
    title = "alpha beta gamma delta epsilon"
    everything = ids(title, TextSpec(length=1000))
    kept = ids(title, TextSpec(length=20))
    assert len(kept) == 20
    assert kept[:9] == everything[:9], "five words and four pairs"
    places = [everything.index(one) for one in kept[9:]]
    assert max(np.diff(places)) - min(np.diff(places)) <= 1, "evenly spaced"
    assert ids(title, TextSpec(length=3)) == [everything[0], everything[1], everything[3]]


def test_a_title_is_cut_after_folding_at_the_most_characters_that_are_read() -> None:
    spec = TextSpec(max_chars=10)
    assert ids("red shoes size nine", spec) == ids("red shoes", spec)
    assert ids("   ReD\t\tshoes   size nine", spec) == ids("red shoes", spec)
    assert ids(" " * 40 + "red", spec) == []


@pytest.mark.parametrize(
    "title", ["a b " * 25_000, "é" * 50_000, "\ufdfa" * 33_000, "ที่" * 11_000, "\u0301" * 50_000, "鞋" * 33_000]
)  # fmt: skip
def test_a_title_of_100_kb_costs_little_more_than_one_that_is_read_whole(title: str) -> None:
    began = time.process_time()
    for _ in range(5):
        tokenise(title, SPEC)
    assert (time.process_time() - began) / 5 < 0.1, "seconds"


def test_titles_make_a_batch_in_which_absent_ones_are_zeros() -> None:
    made = batch(["Red shoes", None, "", "鞋"], SPEC)
    assert made.shape == (4, SPEC.length)
    assert made.dtype == np.int64
    assert made[0].tolist() == tokenise("Red shoes", SPEC).ids.tolist()
    assert made[3].tolist() == tokenise("鞋", SPEC).ids.tolist()
    assert not made[1:3].any()
    assert batch([], SPEC).shape == (0, SPEC.length)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": (2, 1)}, r"words: expected the shortest length first, found \(2, 1\)"),
        ({"characters": (5, 3)}, r"characters: expected the shortest length first, found \(5, 3\)"),
        ({"characters": (0, 3)}, "greater than or equal to 1"),
        ({"buckets": 1}, "greater than or equal to 2"),
        ({"length": 0}, "greater than or equal to 1"),
        ({"size": 3}, "Extra inputs"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TextSpec.model_validate(changes)


def test_a_spec_travels_as_json() -> None:
    spec = TextSpec(buckets=1024, words=(1, 3))
    assert TextSpec.model_validate_json(spec.model_dump_json()) == spec
