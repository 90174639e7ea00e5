"""Items like a picture and of its likely kinds are the best by both together, as comparing with everything finds them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.vision.catalog.search.items import EXACT, by_definition, items, opened, vectors
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.kinds import WEIGHT, Ranked, search_with_kinds
from vision.catalog.search.values import Filter, Item

KNOWN = {one.item_id: one for one in items(300)}
KINDS: list[Mapping[str, float]] = [
    {},
    {"fine-3": 0.9},
    {"fine-1": 0.5, "fine-2": 0.3, "fine-4": 0.02},
    {"no such": 0.8, "fine-0": 0.1},
]
FILTERS = [
    Filter(),
    Filter(categories={"coarse-1"}),
    Filter(attributes={"colour": {"green"}}, exclude={"item-1", "item-7"}),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ItemIndex]:
    with opened(tmp_path_factory.mktemp("index"), EXACT) as one:
        one.apply(list(KNOWN.values()))
        yield one


@pytest.mark.parametrize("kinds", KINDS, ids=str)
@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_the_best_by_likeness_and_kind_are_found(
    index: ItemIndex, kinds: Mapping[str, float], chosen: Filter
) -> None:
    for seed in range(5):
        asked = vectors(2, 20_000 + seed)
        best: dict[str, float] = {}
        for query in asked:
            for hit in by_definition(query, KNOWN, len(KNOWN), chosen):
                kind = max((kinds.get(one, 0.0) for one in KNOWN[hit.item_id].categories), default=0.0)
                score = hit.similarity + WEIGHT * kind
                best[hit.item_id] = max(best.get(hit.item_id, -2.0), score)
        expected = sorted(best, key=lambda one: -best[one])[:20]

        found = search_with_kinds(index, asked, 20, kinds=kinds, chosen=chosen)

        assert [one.hit.item_id for one in found] == expected
        assert [one.score for one in found] == pytest.approx([best[one] for one in expected], abs=1e-5)


def test_the_picture_itself_comes_first_though_it_is_taken_for_something_else(tmp_path: Path) -> None:
    picture, other = np.eye(16, dtype=np.float32)[:2]
    alike = 0.9 * picture + 0.4 * other  # a cosine of 0.91
    with opened(tmp_path) as index:
        index.apply(
            [
                Item(item_id="itself", vectors=picture[None], categories={"fine-1"}),
                Item(item_id="alike", vectors=alike[None], categories={"fine-2"}),
            ]
        )
        found = search_with_kinds(index, picture[None], 2, kinds={"fine-2": 0.95}, chosen=Filter())

    assert names(found) == ["itself", "alike"]


def test_a_product_on_a_shelf_finds_its_studio_picture_before_another_shelf(tmp_path: Path) -> None:
    shelf, studio = np.eye(16, dtype=np.float32)[:2]
    with opened(tmp_path) as index:
        index.apply(
            [
                Item(item_id="studio", vectors=(0.5 * shelf + studio)[None], categories={"milk"}),
                Item(item_id="shelf", vectors=(0.7 * shelf + studio)[None], categories={"juice"}),
            ]
        )
        asked, milk = shelf[None], {"milk": 0.9}
        plain = search_with_kinds(index, asked, 2, kinds={}, chosen=Filter())
        found = search_with_kinds(index, asked, 2, kinds=milk, chosen=Filter())
        elsewhere = search_with_kinds(index, asked, 2, kinds=milk, chosen=Filter(categories={"juice"}))

    assert names(plain) == ["shelf", "studio"]
    assert names(found) == ["studio", "shelf"]
    assert (found[0].kind, found[1].kind) == (0.9, 0.0)
    assert names(elsewhere) == ["shelf"]


def test_without_a_vector_nothing_is_found(index: ItemIndex) -> None:
    assert search_with_kinds(index, vectors(0, 0), 5, kinds={"fine-1": 1.0}, chosen=Filter()) == ()


def names(found: tuple[Ranked, ...]) -> list[str]:
    return [one.hit.item_id for one in found]
