"""What an answer rests on is read off the model's own sum: the shares add up to what they explain."""

from dataclasses import replace

import numpy as np
import pytest

from tests.catalog_bundles import ALL, CELLS, LEVELS, TREE, make_catalog_bundle, photo, prepared
from vision.catalog.categorize import Categorizer, pooled_logits
from vision.catalog.item import Item
from vision.catalog.outputs import ATTRIBUTES, IMAGE, TEXT
from vision.catalog.reasons import BIAS, Reasons, reasons

PHOTOS = (prepared(photo("sport_socks", 200)), prepared(photo("sport_socks", 201, cell_xy=(2, 0))))
SOCKS = Item(
    photos=PHOTOS,
    title="Woollen socks, very woollen: 毛线",
    attributes={"season": "Winter", "wearer": "men", "brand": "Ox"},
)
ITEMS = [
    SOCKS,
    Item(photos=PHOTOS[:1]),
    Item(title="Court sneakers"),
    Item(attributes={"season": "summer"}),
    Item(photos=PHOTOS, title="belt"),
]


def explained(categorizer: Categorizer, item: Item, level: str | None = None) -> tuple[Reasons, float]:
    """The reasons, and the distance of the two logits that they explain."""
    asked = categorizer.ask(item)
    predictions = categorizer.predict(asked.rows)
    answer = categorizer.categorize(asked, predictions)
    found = reasons(categorizer, asked, predictions, answer, level)
    labels = TREE.labels(found.level)
    logits = pooled_logits(predictions, LEVELS)[LEVELS.index(found.level)]
    return found, float(logits[labels.index(found.label)] - logits[labels.index(found.rival)])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("item", ITEMS)
def test_shares_add_up_to_the_distance_between_label_and_rival(
    item: Item, level: str, certified: Categorizer
) -> None:
    found, distance = explained(certified, item, level)
    assert found.level == level
    assert found.label != found.rival
    assert list(found.shares) == [*ALL, BIAS]
    assert sum(found.shares.values()) == pytest.approx(distance, abs=1e-4)
    assert sum(share for _, share in found.words) == pytest.approx(found.shares[TEXT], abs=1e-4)
    assert sum(share for *_, share in found.attributes) == pytest.approx(found.shares[ATTRIBUTES], abs=1e-4)


@pytest.mark.parametrize("item", ITEMS)
def test_the_bias_is_what_the_graph_adds_for_the_subset(item: Item, certified: Categorizer) -> None:
    found, _ = explained(certified, item)
    assert abs(found.shares[BIAS]) <= 0.6 + 1e-3  # the hand-made biases are within 0.3


def test_modalities_that_are_not_there_have_no_share(certified: Categorizer) -> None:
    found, _ = explained(certified, Item(title="Court sneakers"))
    assert found.shares[IMAGE] == found.shares[ATTRIBUTES] == 0
    assert (found.evidence_hw, found.attributes) == ((), ())
    seen, _ = explained(certified, Item(photos=PHOTOS))
    assert seen.shares[TEXT] == seen.shares[ATTRIBUTES] == 0
    assert (seen.words, seen.attributes) == ((), ())


def test_words_and_attributes_are_told_the_weightiest_first(certified: Categorizer) -> None:
    found, _ = explained(certified, SOCKS)
    assert (found.label, found.rival) == ("wool_socks", "sport_socks")
    assert found.words[0][0] == "woollen"
    assert [word for word, _ in found.words].count("woollen") == 1
    assert {"毛", "线"} <= {word for word, share in found.words if share > 0}
    sizes = [abs(share) for _, share in found.words]
    assert sizes == sorted(sizes, reverse=True)
    assert [(name, value) for name, value, _ in found.attributes] == [("season", "Winter"), ("wearer", "men")]


def test_the_mean_of_each_photos_evidence_is_its_share(certified: Categorizer) -> None:
    found, _ = explained(certified, SOCKS)
    assert [one.shape for one in found.evidence_hw] == [(CELLS, CELLS)] * 2
    assert np.mean([one.mean() for one in found.evidence_hw]) == pytest.approx(found.shares[IMAGE], abs=1e-4)


def test_the_evidence_lies_where_the_product_is(certified: Categorizer) -> None:
    found, _ = explained(certified, Item(photos=PHOTOS))
    assert found.label == "sport_socks"
    for evidence, (left, top) in zip(found.evidence_hw, [(1, 1), (2, 0)], strict=True):
        inside = np.zeros((CELLS, CELLS), bool)
        inside[top : top + 2, left : left + 2] = True
        assert evidence[inside].min() > 10
        assert np.abs(evidence[~inside]).max() < 1


def test_the_level_is_the_deepest_that_is_answered_for(certified: Categorizer) -> None:
    assert explained(certified, Item(attributes={"season": "summer"}))[0].level == "department"
    assert explained(certified, Item(title="腰带 跑步"))[0].level == "department"  # unknown
    assert explained(certified, Item(photos=PHOTOS))[0].level == "kind"


def test_the_rival_is_the_most_likely_of_the_others_wherever_the_label_stands(certified: Categorizer) -> None:
    asked = certified.ask(SOCKS)
    predictions = certified.predict(asked.rows)
    answer = certified.categorize(asked, predictions)
    labels = TREE.labels("kind")
    order = np.argsort(-pooled_logits(predictions, LEVELS)[2])
    ranked = [labels[place] for place in order]
    for place, label in enumerate(ranked):
        levels = (*answer.levels[:2], replace(answer.levels[2], label=label))
        altered = replace(answer, levels=levels)
        found = reasons(certified, asked, predictions, altered, "kind")
        assert found.rival == ranked[0 if place else 1]


def test_a_model_of_pictures_alone_has_their_share_and_the_bias(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = make_catalog_bundle(tmp_path_factory.mktemp("images") / "shop", modalities=(IMAGE,))
    found, distance = explained(Categorizer(bundle), Item(photos=PHOTOS, title="woollen"))
    assert set(found.shares) == {IMAGE, BIAS}
    assert sum(found.shares.values()) == pytest.approx(distance, abs=1e-4)
    assert found.words == ()
