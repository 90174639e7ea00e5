"""Strings in arrays are the strings that were put in, whatever language they are in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vision.catalog.search.names import Names

strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
distinct = st.lists(strings, unique=True, max_size=30)


@given(distinct, distinct)
def test_every_string_is_found_under_its_number_and_no_other_is_found(
    known: list[str], asked: list[str]
) -> None:
    names = Names.none().and_more(known[: len(known) // 2])
    names = names.and_more(known[len(known) // 2 :])
    assert [names[number] for number in range(len(names))] == known
    assert [names.find(name) for name in known] == list(range(len(known)))
    assert [names.find(name) for name in asked if name not in known] == [None] * len(set(asked) - set(known))


@given(distinct, st.data())
def test_what_is_left_out_is_gone_and_the_rest_moves_up(known: list[str], data: st.DataObject) -> None:
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(known), max_size=len(known))), np.bool_)
    names = Names.none().and_more(known).only(kept)
    left = [name for name, keep in zip(known, kept, strict=True) if keep]
    assert [names[number] for number in range(len(names))] == left
    assert [names.find(name) for name in left] == list(range(len(left)))
    assert all(names.find(name) is None for name in set(known) - set(left))


def test_a_string_that_cannot_be_found_any_more_may_come_again_under_another_number() -> None:
    names = Names.none().and_more(["shoe", "hat"]).without(np.array([False, True]))
    assert names.find("shoe") is None
    assert names[0] == "shoe"
    assert names.and_more(["shoe"]).find("shoe") == 2


def test_strings_with_one_hash_are_told_apart() -> None:
    names = Names.none().and_more(["shoe", "hat"])
    of_hat = Names.none().and_more(["hat"]).hashes
    same = Names(names.text, names.ends, np.repeat(of_hat, 2), np.array([0, 1], np.int32))
    assert same.find("hat") == 1
