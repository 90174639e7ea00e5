"""`loupe imagery batch`: a row's request id is of what the row asks for, so a table that is edited and run again orders nothing twice."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vision.commands.imagery_batch import request_id

Cells = dict[str, str]
ROWS = st.lists(
    st.fixed_dictionaries({"photo": st.sampled_from(["mug.png", "cup.png"]), "scene": st.sampled_from("ab")}),
    max_size=12,
)


def ids(rows: Sequence[Cells]) -> list[str]:
    seen: Counter[str] = Counter()
    return [request_id(row, (row["photo"].encode(), None, None), seen) for row in rows]


@given(rows=ROWS, random=st.randoms(use_true_random=False))
def test_rows_that_are_moved_are_the_same_orders(rows: list[Cells], random: Random) -> None:
    before = ids(rows)
    random.shuffle(rows)
    assert sorted(ids(rows)) == sorted(before)
    assert len(set(before)) == len(rows)


@given(rows=ROWS, at=st.integers(0, 12), more=ROWS)
def test_rows_that_are_added_anywhere_add_as_many_orders(
    rows: list[Cells], at: int, more: list[Cells]
) -> None:
    edited = [*rows[:at], *more, *rows[at:]]
    assert set(ids(rows)) <= set(ids(edited))
    assert len(set(ids(edited))) == len(rows) + len(more)


def test_an_empty_column_that_is_added_changes_no_order() -> None:
    row = {"photo": "mug.png", "scene": "oak"}
    assert ids([row]) == ids([{**row, "mask": ""}]) == ids([{**row, "style": ""}])


def test_a_row_without_a_style_picture_is_the_order_that_it_was_before_there_were_any() -> None:
    row = {"photo": "mug.png", "scene": "oak"}
    assert ids([row]) == ["batch-c375efc735442a4b0db05e38fb7cb03fa1f81ac6-1"]


def test_another_picture_or_another_word_is_another_order() -> None:
    row = {"photo": "mug.png", "scene": "oak"}
    (first,) = ids([row])
    assert request_id(row, (b"another", None, None), Counter()) != first
    masked, styled = ((b"mug.png", b"a picture", None), (b"mug.png", None, b"a picture"))
    assert len({first, request_id(row, masked, Counter()), request_id(row, styled, Counter())}) == 3
    assert ids([{**row, "scene": "oaks"}]) != [first]
