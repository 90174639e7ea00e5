"""Items like a picture and of its likely kinds are the best by both together, as comparing with everything finds them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.vision.catalog.search.items import EXACT, by_definition, items, opened, vectors
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.kinds import NO_KINDS, WEIGHT, Kinds, Ranked, search_with_kinds
from vision.catalog.search.values import Filter, Item

FINEST: Final = frozenset(f"fine-{number}" for number in range(5))
KNOWN: Final = {  # every kind lies under both of `sale` and `new`, as categories with several parents do
    one.item_id: replace(one, categories=one.categories | {("sale", "new")[number % 7 % 2]})
    for number, one in enumerate(items(300))
}


def kinds(**probabilities: float) -> Kinds:
    paths = ((name.replace("_", "-"),) for name in probabilities)
    return Kinds.of(zip(paths, probabilities.values(), strict=True), FINEST)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ItemIndex]:
    with opened(tmp_path_factory.mktemp("index"), EXACT) as one:
        one.apply(list(KNOWN.values()))
        yield one


@pytest.mark.parametrize(
    "likely",
    [
        NO_KINDS,
        kinds(fine_3=0.9),
        kinds(fine_1=0.5, fine_2=0.3, fine_4=0.02),
        kinds(no_such=0.8, fine_0=0.1),
    ],
    ids=lambda one: str(dict(one.finest)),
)
@pytest.mark.parametrize(
    "chosen",
    [
        Filter(),
        Filter(categories={"coarse-1"}),
        Filter(categories={"sale"}),
        Filter(attributes={"colour": {"green"}}, exclude={"item-1", "item-7"}),
    ],
    ids=str,
)
def test_the_best_by_likeness_and_kind_are_found(index: ItemIndex, likely: Kinds, chosen: Filter) -> None:
    for seed in range(5):
        asked = vectors(2, 20_000 + seed)
        best: dict[str, float] = {}
        for query in asked:
            for hit in by_definition(query, KNOWN, len(KNOWN), chosen):
                kind = max(likely.finest.get(one, 0.0) for one in KNOWN[hit.item_id].categories)
                score = hit.similarity + WEIGHT * kind
                best[hit.item_id] = max(best.get(hit.item_id, -2.0), score)
        expected = sorted(best, key=lambda one: -best[one])[:20]

        found = search_with_kinds(index, asked, 20, kinds=likely, chosen=chosen)

        assert names(found) == expected
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
        found = search_with_kinds(index, picture[None], 2, kinds=kinds(fine_2=0.95), chosen=Filter())

    assert names(found) == ["itself", "alike"]


def test_a_product_on_a_shelf_finds_its_studio_picture_before_another_shelf(tmp_path: Path) -> None:
    shelf, studio = np.eye(16, dtype=np.float32)[:2]
    with opened(tmp_path) as index:
        index.apply(
            [
                Item(item_id="studio", vectors=(0.5 * shelf + studio)[None], categories={"fine-1"}),
                Item(item_id="shelf", vectors=(0.7 * shelf + studio)[None], categories={"fine-2"}),
            ]
        )
        asked, likely = shelf[None], kinds(fine_1=0.9)
        plain = search_with_kinds(index, asked, 2, kinds=NO_KINDS, chosen=Filter())
        found = search_with_kinds(index, asked, 2, kinds=likely, chosen=Filter())
        elsewhere = search_with_kinds(index, asked, 2, kinds=likely, chosen=Filter(categories={"fine-2"}))

    assert names(plain) == ["shelf", "studio"]
    assert names(found) == ["studio", "shelf"]
    assert [one.kind for one in found] == [0.9, 0.0]
    assert names(elsewhere) == ["shelf"]


def test_a_kind_that_lies_on_several_paths_counts_for_all_and_an_unlikely_one_is_left_out() -> None:
    paths = [(("shoes", "sneakers"), 0.5), (("sport", "sneakers"), 0.2), (("sport", "balls"), 0.01)]
    found = Kinds.of(paths, {"sneakers", "balls", "shirts"})

    assert found.finest == {"sneakers": 0.7}
    assert found.above == pytest.approx({"shoes": 0.5, "sport": 0.21})


@pytest.mark.parametrize(
    ("categories", "probability"),
    [
        ({"goods", "shoes", "sneakers"}, 0.6),
        ({"goods", "shoes", "sandals"}, 0.0),
        ({"goods", "shoes"}, 0.8),
        ({"goods"}, 0.9),
        ({"papers"}, 0.0),
        (set(), 0.0),
    ],
    ids=str,
)
def test_an_item_counts_by_the_finest_category_that_is_known_of_it(
    categories: set[str], probability: float
) -> None:
    paths = [(("goods", "shoes", "sneakers"), 0.6), (("goods", "shoes", "boots"), 0.2), (("goods", "bags", "totes"), 0.1)]  # fmt: skip
    found = Kinds.of(paths, {"sneakers", "boots", "totes", "sandals"})

    assert found.probability(categories) == pytest.approx(probability)


def test_without_a_vector_nothing_is_found(index: ItemIndex) -> None:
    assert search_with_kinds(index, vectors(0, 0), 5, kinds=kinds(fine_1=1.0), chosen=Filter()) == ()


def names(found: tuple[Ranked, ...]) -> list[str]:
    return [one.hit.item_id for one in found]
