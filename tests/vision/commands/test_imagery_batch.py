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
    return [request_id(row, row["photo"].encode(), None, seen) for row in rows]


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
    assert ids([row]) == ids([{**row, "mask": ""}])


def test_another_picture_or_another_word_is_another_order() -> None:
    row = {"photo": "mug.png", "scene": "oak"}
    (first,) = ids([row])
    assert request_id(row, b"another", None, Counter()) != first
    assert request_id(row, b"mug.png", b"a mask", Counter()) != first
    assert ids([{**row, "scene": "oaks"}]) != [first]
