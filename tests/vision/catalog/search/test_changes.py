"""Changes come out of the journal as they went in."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.catalog.search.items import DIMENSION, item
from vision.catalog.search.changes import in_parts, packed, unpacked
from vision.catalog.search.entry import Entry, entry_of
from vision.catalog.search.signature import BYTES
from vision.catalog.search.values import Removal
from vision.errors import SearchIndexError

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    rng, photos = np.random.default_rng(draw(seeds)), draw(st.integers(1, 4))
    return Entry(
        item_id=draw(texts),
        rows=rng.integers(-127, 128, (photos, DIMENSION), np.int8),
        signatures=rng.integers(0, 256, (photos, BYTES), np.uint8),
        terms=tuple(draw(st.lists(texts, max_size=4))),
    )


@given(st.lists(entries() | st.builds(Removal, item_id=texts), max_size=6))
def test_reading_gives_what_was_written(changes: list[Entry | Removal]) -> None:
    again = unpacked(packed(changes), DIMENSION, "journal")
    for before, after in zip(changes, again, strict=True):
        if isinstance(before, Removal) or isinstance(after, Removal):
            assert before == after
        else:
            assert (before.item_id, before.terms) == (after.item_id, after.terms)
            assert np.array_equal(before.rows, after.rows)
            assert np.array_equal(before.signatures, after.signatures)


@given(st.lists(entries() | st.builds(Removal, item_id=texts), max_size=12), st.integers(0, 2000))
def test_parts_are_as_many_as_there_is_room_for_and_miss_nothing(
    changes: list[Entry | Removal], most_bytes: int
) -> None:
    parts = list(in_parts(changes, most_bytes))

    assert list(map(id, chain.from_iterable(parts))) == list(map(id, changes))
    for part in parts:
        assert len(part) == 1 or len(packed(part)) <= most_bytes
    assert len(parts) <= 1 or sum(len(packed([one])) for one in changes) > most_bytes


def test_vectors_of_another_dimension_are_refused() -> None:
    payload = packed([entry_of(item(0), DIMENSION)])
    with pytest.raises(SearchIndexError, match="offset 8: expected 1 vectors of 32 bytes"):
        unpacked(payload, 32, "offset 8")


@pytest.mark.parametrize(
    "payload", [b"", b"\x02\x00\x00\x00{}", b"\xff\xff\xff\x7f[]", b'\x0c\x00\x00\x00[{"kind":1}]']
)
def test_what_holds_no_changes_is_refused(payload: bytes) -> None:
    with pytest.raises(SearchIndexError, match="offset 8: expected"):
        unpacked(payload, DIMENSION, "offset 8")
