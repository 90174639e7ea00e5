"""Search finds what comparing everything with everything finds, through puts, removals, checkpoints and new starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from tests.vision.catalog.search.items import (
    DIMENSION,
    EXACT,
    GRAPHED,
    by_definition,
    ids,
    item,
    items,
    opened,
    search,
    vectors,
)
from vision.catalog.search.index import MAX_HITS, ItemIndex
from vision.catalog.search.values import Filter, Hit, Item, Removal
from vision.errors import InputError

FILTERS: Final = (
    Filter(),
    Filter(categories={"fine-3"}),
    Filter(categories={"fine-1", "coarse-0"}),
    Filter(attributes={"colour": {"red", "blue"}}),
    Filter(
        categories={"coarse-1"}, attributes={"colour": {"green"}}, exclude={"item-1", "item-7", "no such"}
    ),
    Filter(categories={"no such"}),
    Filter(attributes={"size": {"41"}}),
    Filter(attributes={"colour": set()}),
)


def assert_same(found: tuple[Hit, ...], expected: tuple[Hit, ...]) -> None:
    assert [(hit.item_id, hit.photo) for hit in found] == [(hit.item_id, hit.photo) for hit in expected]
    assert [hit.similarity for hit in found] == pytest.approx([hit.similarity for hit in expected], abs=1e-5)


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
@pytest.mark.parametrize("checkpointed", [0, 300, 500], ids=["recent", "both", "base"])
def test_the_most_similar_items_that_a_filter_leaves_are_found(
    tmp_path: Path, chosen: Filter, checkpointed: int
) -> None:
    known = {one.item_id: one for one in items(500)}
    with opened(tmp_path) as index:
        index.apply(items(500)[:checkpointed])
        index.checkpoint()
        index.apply(items(500)[checkpointed:])
        for query in vectors(5, 10_000):
            for count in (1, 10, 400):
                assert_same(search(index, query, count, chosen), by_definition(query, known, count, chosen))


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_a_graph_gives_as_many_hits_as_there_are_and_almost_always_the_right_ones(
    tmp_path: Path, chosen: Filter
) -> None:
    known = {one.item_id: one for one in items(900)}
    right = wanted = 0
    with opened(tmp_path, GRAPHED) as index:
        index.apply(items(900))
        index.checkpoint()
        for query in vectors(20, 10_000):
            expected = by_definition(query, known, 10, chosen)
            found = search(index, query, 10, chosen)
            assert len(found) == len(expected)
            right, wanted = right + len(set(ids(found)) & set(ids(expected))), wanted + len(expected)
            assert_same(search(index, query, 10, chosen, exact=True), expected)
    assert right >= 0.95 * wanted


def test_a_filter_that_leaves_few_items_far_from_the_query_still_gives_all_of_them(tmp_path: Path) -> None:
    centre = np.eye(DIMENSION, dtype=np.float32)[:1]
    near = [
        Item(item_id=f"near-{number}", vectors=10 * centre + vectors(1, number), categories={"near"})
        for number in range(2000)
    ]
    far = [
        Item(item_id=f"far-{number}", vectors=vectors(1, number) - 9 * centre, categories={"far"})
        for number in range(12)
    ]
    with opened(tmp_path, GRAPHED) as index:
        index.apply(near + far)
        index.checkpoint()
        assert len(index.search(centre[0], 10, categories={"far"})) == 10
        assert len(index.search(centre[0], 100, categories={"far"})) == 12
        assert len(index.search(centre[0], 1000, exclude={one.item_id for one in near[:1200]})) == 812


def test_equally_similar_items_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    one = vectors(1, 0)
    names = ["b", "é", "a", "2", "10", "ü", "中"]
    with opened(tmp_path) as index:
        index.apply([Item(item_id=name, vectors=one) for name in names[:4]])
        index.checkpoint()
        index.apply([Item(item_id=name, vectors=one) for name in names[4:]])
        assert ids(index.search(one[0], 7)) == sorted(names)
        assert ids(index.search(one[0], 3)) == sorted(names)[:3]


def test_an_item_is_found_by_each_of_its_photos_and_named_once(tmp_path: Path) -> None:
    photos = vectors(3, 777)
    with opened(tmp_path) as index:
        index.apply([Item(item_id="shoe", vectors=photos), *items(20)])
        for number, photo in enumerate(photos):
            best, *others = index.search(photo, 21)
            assert (best.item_id, best.photo) == ("shoe", number)
            assert best.similarity == pytest.approx(1, abs=1e-3)
            assert "shoe" not in ids(tuple(others))
            assert len(others) == 20


def test_an_item_put_again_is_only_as_it_was_put_last(tmp_path: Path) -> None:
    with opened(tmp_path, GRAPHED) as index:
        index.apply(items(100))
        index.checkpoint()
        index.put(Item(item_id="item-7", vectors=vectors(1, 999), categories={"new"}))
        for _ in range(2):
            assert len(index) == 100
            assert ids(index.search(vectors(1, 999)[0], 1)) == ["item-7"]
            assert index.search(item(7).vectors[0], 1)[0].similarity < 0.99
            assert "item-7" not in ids(index.search(item(7).vectors[0], 100, categories={"fine-2"}))
            assert ids(index.search(item(7).vectors[0], 100, categories={"new"})) == ["item-7"]
            index.checkpoint()


def test_a_removed_item_is_gone_at_once_and_for_good(tmp_path: Path) -> None:
    with opened(tmp_path, GRAPHED) as index:
        index.apply(items(100))
        index.checkpoint()
        assert index.remove("item-7")
        assert not index.remove("item-7")
        assert not index.remove("never there")
        for _ in range(2):
            assert len(index) == 99
            assert "item-7" not in index
            assert index.get("item-7") is None
            assert "item-7" not in ids(index.search(item(7).vectors[0], 100))
            index.checkpoint()
    with opened(tmp_path, GRAPHED) as index:
        assert "item-7" not in index


def test_an_item_comes_back_as_it_was_put(tmp_path: Path) -> None:
    shoe = Item(
        item_id="鞋-👟",
        vectors=vectors(2, 0),
        categories={"鞋", "shoes"},
        attributes={"colour": "أحمر", "size": "41"},
        signatures=np.arange(64, dtype=np.uint8).reshape(2, 32),
    )
    with opened(tmp_path) as index:
        index.put(shoe)
        for _ in range(2):
            found = index.get("鞋-👟")
            assert found is not None
            assert (found.item_id, found.categories) == (shoe.item_id, shoe.categories)
            assert found.attributes == shoe.attributes
            cosines = (found.vectors * shoe.vectors).sum(1) / np.linalg.norm(shoe.vectors, axis=1)
            assert cosines == pytest.approx([1, 1], abs=1e-3)
            assert np.array_equal(index.signatures("鞋-👟"), np.arange(64).reshape(2, 32))
            index.checkpoint()


def test_an_empty_index_finds_nothing_and_survives_a_checkpoint(tmp_path: Path) -> None:
    with opened(tmp_path, GRAPHED) as index:
        assert index.search(vectors(1, 0)[0], 10) == ()
        index.put(item(0))
        index.remove("item-0")
        index.checkpoint()
        assert index.search(vectors(1, 0)[0], 10) == ()
    with opened(tmp_path, GRAPHED) as index:
        assert len(index) == 0
        index.put(item(1))
        index.checkpoint()
        assert ids(index.search(vectors(1, 0)[0], 10)) == ["item-1"]


def test_the_same_changes_give_the_same_answers_to_the_last_bit(tmp_path: Path) -> None:
    answers = []
    for name in ("one", "other"):
        with opened(tmp_path / name, GRAPHED) as index:
            index.apply(items(400))
            index.checkpoint()
            index.apply([item(number, seed=number + 7) for number in range(350, 450)])
            index.checkpoint()
            answers.append([index.search(query, 10) for query in vectors(20, 5)])
    assert answers[0] == answers[1]


def test_a_checkpoint_is_due_after_so_many_rows_and_made_by_itself_after_twice_as_many(
    tmp_path: Path,
) -> None:
    single = [Item(item_id=str(number), vectors=vectors(1, number)) for number in range(150)]
    with opened(tmp_path, EXACT) as index:
        index.apply(single[:49])
        assert not index.due()
        index.apply(single[49:50])
        assert index.due()
        index.checkpoint()
        assert not index.due()
        for one in single[50:]:
            index.put(one)
        assert not list(tmp_path.glob("checkpoint-000002"))
        index.put(single[0])
        assert list(tmp_path.glob("checkpoint-000002"))
        assert len(index) == 150


def test_a_graph_is_made_when_the_index_is_large_enough_for_one_and_goes_when_it_is_not(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, EXACT) as index:
        index.apply(items(100))
        index.checkpoint()
        assert not list(tmp_path.glob("*/graph.usearch"))
    with opened(tmp_path, GRAPHED) as index:
        assert index.due()
        index.checkpoint()
        assert list(tmp_path.glob("*/graph.usearch"))
        assert not index.due()
    with opened(tmp_path, EXACT) as index:
        assert len(index.search(vectors(1, 0)[0], 100)) == 100
        index.put(item(100))
        index.checkpoint()
        assert not list(tmp_path.glob("*/graph.usearch"))
        assert len(index.search(vectors(1, 0)[0], 1000)) == 101


def test_items_replaced_again_and_again_do_not_fill_the_disk(tmp_path: Path) -> None:
    def size() -> int:
        return sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    sizes = []
    with opened(tmp_path, GRAPHED) as index:
        for turn in range(12):
            index.apply([item(number, seed=1000 * turn + number) for number in range(60)])
            index.checkpoint()
            sizes.append(size())
        assert len(index) == 60
    assert max(sizes) < 2 * sizes[0]


def test_all_changes_of_one_commit_are_made_or_none(tmp_path: Path) -> None:
    bad = Item(item_id="bad", vectors=np.zeros((1, DIMENSION), np.float32))
    with opened(tmp_path) as index:
        with pytest.raises(InputError, match="item 'bad': vectors: expected finite vectors"):
            index.apply([item(0), Removal(item_id="item-0"), item(1), bad])
        assert len(index) == 0
        index.apply([item(0), Removal(item_id="item-0"), item(1), Removal(item_id="never there")])
        assert ids(index.search(vectors(1, 0)[0], 9)) == ["item-1"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"item_id": ""}, "item '': item_id: expected 1 to 256 bytes"),
        ({"item_id": "中" * 86}, "item_id: expected 1 to 256 bytes"),
        ({"item_id": "a\nb"}, "item_id: expected text without control characters"),
        ({"item_id": "\ud800"}, "item_id: expected text without control characters"),
        ({"vectors": np.ones((1, 3), np.float32)}, r"vectors: expected shape \(N, 16\), found \(1, 3\)"),
        ({"vectors": np.ones(DIMENSION, np.float32)}, r"vectors: expected shape \(N, 16\), found \(16,\)"),
        ({"vectors": np.ones((0, DIMENSION), np.float32)}, "vectors: expected 1 to 256, found 0"),
        ({"vectors": np.ones((257, DIMENSION), np.float32)}, "vectors: expected 1 to 256, found 257"),
        ({"categories": {"a\x00"}}, "categories: expected text without control characters"),
        ({"attributes": {"colour\n": "red"}}, "attributes: expected text without control characters"),
        ({"attributes": {"colour": "r\ted"}}, "attributes.colour: expected text without control characters"),
        ({"categories": {str(number) for number in range(5000)}}, "expected at most 4096, found 5000"),
        ({"signatures": np.zeros((2, 32), np.uint8)}, r"signatures: expected uint8 \(1, 32\)"),
        ({"signatures": np.zeros((1, 32))}, r"signatures: expected uint8 \(1, 32\), found float64"),
    ],
)
def test_an_item_that_is_not_as_it_should_be_is_refused_and_named(
    tmp_path: Path, changed: Mapping[str, object], message: str
) -> None:
    good: dict[str, object] = {"item_id": "shoe", "vectors": vectors(1, 0)}
    with opened(tmp_path) as index:
        with pytest.raises(InputError, match=message):
            index.put(Item(**{**good, **changed}))  # type: ignore[arg-type]
        assert len(index) == 0


def test_a_search_for_nothing_or_too_much_is_refused(tmp_path: Path) -> None:
    query = vectors(1, 0)[0]
    with opened(tmp_path) as index:
        for count in (0, -1, MAX_HITS + 1):
            with pytest.raises(InputError, match=f"count: expected 1 to {MAX_HITS}, found {count}"):
                index.search(query, count)
        assert "\ud800" not in index
        assert not index.remove("\ud800")
        with pytest.raises(InputError, match="item_id: expected text without control characters"):
            index.apply([Removal(item_id="\ud800")])
        with pytest.raises(InputError, match=r"vector: expected shape \(16,\), found \(15,\)"):
            index.search(query[1:], 1)
        with pytest.raises(InputError, match="vector: expected finite vectors"):
            index.search(query * np.float32(np.nan), 1)


numbers = st.integers(0, 30)


class AnyOrder(RuleBasedStateMachine):
    """An index and a dictionary through the same changes."""

    folders: Path

    @initialize(graphed=st.booleans(), number=st.integers(0, 2**62))
    def begin(self, graphed: bool, number: int) -> None:
        self.folder = self.folders / f"{number}-{len(list(self.folders.iterdir()))}"
        self.options = GRAPHED if graphed else EXACT
        self.index: ItemIndex = opened(self.folder, self.options)
        self.known: dict[str, Item] = {}

    @rule(some=st.lists(numbers, min_size=1, max_size=12), seed=st.integers(0, 5))
    def put(self, some: list[int], seed: int) -> None:
        put = [item(number, seed=31 * seed + number) for number in some]
        self.index.apply(put)
        self.known |= {one.item_id: one for one in put}

    @rule(number=numbers)
    def remove(self, number: int) -> None:
        assert self.index.remove(f"item-{number}") == (self.known.pop(f"item-{number}", None) is not None)

    @rule()
    def checkpoint(self) -> None:
        self.index.checkpoint()

    @rule()
    def start_anew(self) -> None:
        self.index.close()
        self.index = opened(self.folder, self.options)

    @rule(seed=st.integers(0, 99), chosen=st.sampled_from(FILTERS))
    def look(self, seed: int, chosen: Filter) -> None:
        query = vectors(1, seed)[0]
        found = search(self.index, query, 10, chosen, exact=True)
        assert_same(found, by_definition(query, self.known, 10, chosen))
        assert len(search(self.index, query, 10, chosen)) == len(found)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if hasattr(self, "index"):
            assert len(self.index) == len(self.known)
            assert all(item_id in self.index for item_id in self.known)

    @override
    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()


def test_in_whatever_order_things_happen_the_index_is_what_was_put_into_it(tmp_path: Path) -> None:
    AnyOrder.folders = tmp_path
    AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
    AnyOrder.TestCase().runTest()
