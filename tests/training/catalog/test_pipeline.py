"""From a finished run to a bundle that answers, promises and can be compared."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.catalog.conftest import Shop
from tests.training.catalog.shop import LEVELS, read_shop
from training.catalog.compare import compare_bundles
from training.catalog.export import load_catalog_network, reading_of
from training.catalog.figures import evaluate, title_leaks
from training.catalog.issue import issue_catalog
from training.catalog.score import CatalogScored, score, session_scorer, torch_scorer
from vision.bundle import open_bundle
from vision.catalog.categorize import Categorizer, Status
from vision.catalog.item import Item
from vision.catalog.spec import catalog_spec
from vision.errors import CatalogError, ManifestError
from vision.preprocess import prepare_file
from vision.session import Session

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def scored(made_shop: Shop) -> CatalogScored:
    items = read_shop(made_shop.manifest).split("test")
    network = load_catalog_network(made_shop.folder / "run")
    return score(torch_scorer(network, device="cpu"), items, reading_of(made_shop.run))


def leaking(scored: CatalogScored) -> int:
    leaks = title_leaks(scored)
    assert leaks is not None
    assert leaks.n == len(scored.items)
    return leaks.count


def copied(shop: Shop, folder: Path) -> Path:
    shutil.copytree(shop.bundle.path, folder / "copy")
    return folder / "copy"


def test_the_bundle_says_what_it_reads(made_shop: Shop) -> None:
    spec = catalog_spec(made_shop.bundle)
    assert spec.levels == LEVELS
    assert spec.modalities == ("image", "text", "attributes")
    assert spec.title_column == "title"
    assert made_shop.bundle.manifest.labels == ("brick", "emerald", "ruby", "tile", "voucher")
    assert made_shop.bundle.manifest.outputs["logits_kind"] == ("N", 5)


def test_the_bundle_answers_like_the_network(made_shop: Shop, scored: CatalogScored) -> None:
    session = Session(made_shop.bundle.read("model.onnx"))
    again = score(session_scorer(session), scored.items, scored.reading)
    for expected, found in zip(scored.logits, again.logits, strict=True):
        assert found == pytest.approx(expected, abs=1e-2)
    assert again.digests == scored.digests


def test_serving_answers_what_training_measured(made_shop: Shop, scored: CatalogScored) -> None:
    categorizer = Categorizer(open_bundle(made_shop.bundle.path))
    reading = scored.reading
    temperature = categorizer.reading.temperatures["image+text+attributes"]
    expected = scored.by_level(reading.modalities, temperature)[-1]
    told = [
        index for index, item in enumerate(scored.items) if item.columns["title"] and item.columns["size"]
    ]
    assert told
    for index in told:
        item = scored.items[index]
        photo = prepare_file(item.path, reading.preprocess)
        answer = categorizer.answer(
            Item(photos=(photo,), title=item.columns["title"], attributes={"size": item.columns["size"]})
        )
        assert answer.status in {Status.ANSWERED, Status.NOVEL}
        assert answer.levels[-1].probability == pytest.approx(expected[index].max(), abs=0.02)


def test_figures_know_every_subset_and_slice(scored: CatalogScored) -> None:
    figures = evaluate(scored, slice_by=["size"])
    assert list(figures.subsets)[-1] == "image+text+attributes"
    assert set(figures.slices["size"]) == {"", "large", "small"}
    assert figures.whole.levels["kind"].accuracy.value is not None
    assert figures.whole.levels["kind"].accuracy.value > 0.6, "far above chance, 0.2"
    assert figures.whole.hierarchical_f1 >= figures.whole.levels["kind"].accuracy.value
    assert figures.leaks is not None


@pytest.mark.parametrize(
    ("title", "leaks"),
    [
        ("a fine RUBY", True),
        ("ruby, red", True),
        ("two (ruby) rings", True),
        ("ＲＵＢＹ", True),
        ("一颗红宝石戒指", True),  # a red stone's Chinese name, without blanks around it
        ("gem of the east", True),
        ("rubies", False),
        ("rubyesque", False),
        ("gem of the: far east", False),
        ("红色宝石", False),
        ("", False),
    ],
)
def test_a_title_that_holds_its_label_is_counted_as_a_leak(
    scored: CatalogScored, title: str, leaks: bool
) -> None:
    tree = scored.reading.taxonomy
    categories = tuple(
        replace(one, names={"en": "Ruby", "zh": "红宝石"}, synonyms=("gem of the east",))
        if one.id == "ruby"
        else one
        for one in tree.categories
    )
    items = tuple(
        replace(item, columns={**item.columns, "title": title})
        for item in scored.items
        if item.label == "ruby"
    )
    reading = replace(scored.reading, taxonomy=replace(tree, categories=categories))
    assert leaking(replace(scored, items=items, reading=reading)) == (len(items) if leaks else 0)


def test_a_label_leaks_in_the_singular_too(scored: CatalogScored) -> None:
    items = tuple(
        replace(item, columns={**item.columns, "title": "Nike shirt, blue", "kind": "Shirts"})
        for item in scored.items
    )
    assert leaking(replace(scored, items=items)) == len(items), "even where the tree has no such label"


def test_promises_are_written_into_the_bundle_and_asked_of_its_answers(
    made_shop: Shop, tmp_path: Path
) -> None:
    path = copied(made_shop, tmp_path)
    items = read_shop(made_shop.manifest).split("val")
    issued = issue_catalog(open_bundle(path), items, max_risk=0.45, confidence=0.8)

    certificate = issued.certificates["model.onnx"]
    assert issued.openings == 1
    assert set(certificate.promises) == set(catalog_spec(issued.bundle).files["model.onnx"].temperatures)
    finest = certificate.promises["image+text+attributes"][-1]
    assert finest.threshold is not None
    assert finest.upper <= 0.45 + 1e-6
    categorizer = Categorizer(open_bundle(path))
    photo = prepare_file(items[0].path, categorizer.bundle.manifest.preprocess)
    answer = categorizer.answer(Item(photos=(photo,), title=items[0].columns["title"]))
    assert answer.certified
    again = issue_catalog(open_bundle(path), items, max_risk=0.45, confidence=0.8)
    assert again.openings == 2


def test_pictures_that_were_learned_from_certify_nothing(made_shop: Shop, tmp_path: Path) -> None:
    bundle = open_bundle(copied(made_shop, tmp_path))
    with pytest.raises(ManifestError, match="not trained or tuned on"):
        issue_catalog(bundle, made_shop.run.role("train")[:3], max_risk=0.1, confidence=0.9)


def test_a_label_that_the_tree_does_not_hold_is_named(made_shop: Shop) -> None:
    item = read_shop(made_shop.manifest).split("test")[0]
    strange = replace(item, columns={**item.columns, "kind": "emerld"})
    with pytest.raises(CatalogError, match=r"level 'kind'.*'emerld'; nearest: 'emerald'"):
        score(lambda *_: {}, [strange], reading_of(made_shop.run))


def test_a_model_is_no_better_than_itself(made_shop: Shop) -> None:
    items = read_shop(made_shop.manifest).split("test")
    found = compare_bundles(made_shop.bundle, made_shop.bundle, items)
    assert not found.publish
    assert found.test["kind"].p_value == 1.0
    assert found.why == "do not publish: no difference beyond chance on the test items"
    assert found.test["kind"].first == found.test["kind"].second


def test_a_product_counts_once_however_many_photos_it_has(made_shop: Shop) -> None:
    items = read_shop(made_shop.manifest).split("test")
    variants = [replace(item, group=items[0].group) for item in items[:3]]
    found = compare_bundles(made_shop.bundle, made_shop.bundle, [*variants, *items[3:]])
    assert (found.test["kind"].n, found.same_product, found.learned_from) == (len(items) - 2, 2, 0)


def test_products_that_a_model_learned_from_do_not_count(made_shop: Shop) -> None:
    items, known = read_shop(made_shop.manifest).split("test"), made_shop.run.role("train")
    another_photo = replace(items[0], group=known[0].group)  # of a product that was learned from
    found = compare_bundles(made_shop.bundle, made_shop.bundle, items[1:], [another_photo, *known[:5]])
    assert found.test["kind"].n == len(items) - 1
    assert (found.corrected, found.learned_from, found.same_product) == ({}, 6, 0)
    with pytest.raises(CatalogError, match="expected test items that neither model learned from, found none"):
        compare_bundles(made_shop.bundle, made_shop.bundle, known[:5])


def test_coverage_counts_the_surest_first() -> None:
    from training.catalog.figures import coverage_at

    sure = np.array([0.9, 0.8, 0.7, 0.6])
    assert coverage_at(sure, np.array([True, True, False, True]), 0.0) == 0.5
    assert coverage_at(sure, np.array([True, True, False, True]), 0.25) == 1.0
    assert coverage_at(sure, np.array([False, True, True, True]), 0.0) == 0.0
