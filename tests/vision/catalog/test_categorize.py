"""A product in, its place in the tree out: from any subset of what can be given, as deep as can be answered for."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.bundles import blank
from tests.catalog_bundles import (
    ALL,
    KINDS,
    MODEL,
    THRESHOLDS,
    TREE,
    WORDS,
    make_catalog_bundle,
    manifest,
    onnx_model,
    photo,
    prepared,
    spec,
    stranger,
    temperatures,
)
from tests.vision.catalog.test_decode import Case, answered, decoded
from vision.bundle import REFERENCE, Bundle, pack_arrays
from vision.catalog.attributes import AttributeColumn
from vision.catalog.categorize import (
    Categorizer,
    Status,
    answered_levels,
    deepest,
    open_categorizer,
    pooled_logits,
)
from vision.catalog.certificate import LevelPromise
from vision.catalog.decode import best_path_through
from vision.catalog.item import MAX_TITLE, Item
from vision.catalog.outputs import ATTRIBUTES, IMAGE, TEXT
from vision.errors import BundleError, CatalogError

WINTER = {"season": "winter"}


def told(kind: str, modalities: tuple[str, ...], seed: int = 200) -> Item:
    """An item of a kind with these modalities, of which attributes say little."""
    return Item(
        photos=(prepared(photo(kind, seed)),) if IMAGE in modalities else (),
        title=f"One {WORDS[kind][seed % 2]}" if TEXT in modalities else "",
        attributes={"wearer": "men"} if ATTRIBUTES in modalities else {},
    )


@pytest.mark.parametrize(
    "modalities", [one for one in product(*[(name, None) for name in ALL]) if one[0] or one[1]]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_product_is_found_from_a_photo_a_title_or_both(
    kind: str, modalities: tuple[str, ...], certified: Categorizer
) -> None:
    given = tuple(name for name in modalities if name)
    answer = certified.answer(told(kind, given))
    assert answer.status is Status.ANSWERED
    assert answer.modalities == given
    assert answer.levels[-1].label == kind
    assert (answer.depth, answer.certified) == (3, True)
    assert TREE.today("kind", kind) == answer.answered[-1].label
    assert (answer.embedding is None) == (IMAGE not in given)


def test_probabilities_fall_from_level_to_level_and_carry_their_thresholds(certified: Categorizer) -> None:
    answer = certified.answer(told("sneakers", ALL))
    probabilities = [level.probability for level in answer.levels]
    assert probabilities == sorted(probabilities, reverse=True)
    assert [level.threshold for level in answer.levels] == list(THRESHOLDS)
    assert [level.label for level in answer.levels] == ["footwear", "shoes", "sneakers"]


def test_a_leaf_above_the_last_level_is_carried_down(certified: Categorizer) -> None:
    answer = certified.answer(told("belts", (IMAGE,)))
    assert [level.label for level in answer.levels] == ["clothing", "belts", "belts"]


def test_alternatives_are_the_most_probable_paths(certified: Categorizer) -> None:
    answer = certified.answer(told("wool_socks", (IMAGE,)))
    best, second, *_ = answer.alternatives
    assert {best.labels[0], second.labels[0]} == {"clothing", "footwear"}  # socks have two parents
    assert best.labels[1:] == second.labels[1:] == ("socks", "wool_socks")
    probabilities = [one.probability for one in answer.alternatives]
    assert len(probabilities) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1


def test_an_answer_stops_at_the_deepest_level_that_is_certified(certified: Categorizer) -> None:
    # from attributes alone nothing is promised below the first level, however probable
    answer = certified.answer(Item(attributes={"season": "summer"}))
    assert answer.levels[-1].probability > THRESHOLDS[-1]
    assert (answer.status, answer.depth) == (Status.ANSWERED, 1)
    assert [level.threshold for level in answer.levels] == [THRESHOLDS[0], None, None]
    assert [level.label for level in answer.answered] == ["footwear"]


def test_two_kinds_that_cannot_be_told_apart_end_at_their_family(certified: Categorizer) -> None:
    answer = certified.answer(Item(title=f"{WORDS['sneakers'][1]} {WORDS['sandals'][1]}"))
    assert answer.levels[-1].probability < THRESHOLDS[-1]
    assert [level.label for level in answer.answered] == ["footwear", "shoes"]


def test_which_parent_of_a_sure_category_it_is_may_stay_open(certified: Categorizer) -> None:
    answer = certified.answer(told("wool_socks", (IMAGE,)))
    assert answer.levels[0].probability < THRESHOLDS[0]  # socks have two parents, and nothing tells which
    assert answer.levels[0].label == answer.alternatives[0].labels[0]
    assert (answer.status, answer.depth) == (Status.ANSWERED, 3)
    assert [level.label for level in answer.answered] == ["socks", "wool_socks"]


def promised(*thresholds: float | None) -> list[LevelPromise]:
    return [
        LevelPromise(level=str(index), threshold=one, answered=1, wrong=0, of=1, upper=1)
        for index, one in enumerate(thresholds)
    ]


@given(answered(), st.data())
def test_a_level_is_answered_for_where_it_is_sure_itself_or_right_whenever_the_one_below_is(
    case: Case, data: st.DataObject
) -> None:
    tree, logits, temperature = case
    by_path, by_level = decoded(tree, logits, temperature)
    thresholds = [data.draw(st.none() | st.floats(0.05, 1)) for _ in tree.levels]
    depth, label = deepest(by_level, promised(*thresholds))
    path = tree.paths[best_path_through(by_path, tree.paths, max(depth, 1) - 1, label)].tolist()
    found = answered_levels(by_level, promised(*thresholds), tree.paths, path[:depth])
    assert len(found) == depth
    assert all(found[-1:])
    possible = tree.paths[tree.paths[:, depth - 1] == label]  # where the deepest one is right
    for level, is_answered in enumerate(found):
        threshold, probability = thresholds[level], by_level[level][path[level]]
        likeliest = int(by_level[level].argmax()) == path[level]
        sure = threshold is not None and likeliest and bool(probability >= threshold)
        implied = bool((possible[:, level] == path[level]).all())
        assert is_answered == (sure or implied)
        if implied:
            assert probability >= by_level[depth - 1][label] - 1e-12


@given(answered(), st.data())
def test_in_a_tree_of_single_parents_all_levels_above_are_answered_for(
    case: Case, data: st.DataObject
) -> None:
    tree, logits, temperature = case
    assume(all(len(one.parents) <= 1 for one in tree.categories))
    by_path, by_level = decoded(tree, logits, temperature)
    promises = promised(*(data.draw(st.floats(0.05, 1)) for _ in tree.levels))
    depth, label = deepest(by_level, promises)
    path = tree.paths[best_path_through(by_path, tree.paths, max(depth, 1) - 1, label)].tolist()
    assert all(answered_levels(by_level, promises, tree.paths, path[:depth]))


def test_an_item_that_could_be_anything_is_unknown(certified: Categorizer, uncertified: Categorizer) -> None:
    either = Item(title=f"{WORDS['belts'][1]} {WORDS['sneakers'][1]}")
    answer = certified.answer(either)
    assert answer.levels[0].probability < THRESHOLDS[0]
    assert (answer.status, answer.depth, answer.answered) == (Status.UNKNOWN, 0, ())
    assert len(answer.levels) == 3  # the likeliest path nevertheless
    assert uncertified.answer(either).depth == 3


def test_without_a_certificate_the_whole_path_is_answered_and_says_so(uncertified: Categorizer) -> None:
    answer = uncertified.answer(Item(attributes=WINTER))
    assert (answer.depth, answer.certified) == (3, False)
    assert {level.threshold for level in answer.levels} == {None}


def test_a_product_unlike_all_that_was_learned_is_novel(certified: Categorizer) -> None:
    answer = certified.answer(Item(photos=(prepared(stranger(200)),)))
    assert (answer.status, answer.depth) == (Status.NOVEL, 0)
    assert answer.novelty > 1
    assert len(answer.levels) == 3  # what it would be, if it were anything
    assert all(certified.answer(told(kind, (IMAGE,))).novelty <= 1 for kind in KINDS)


@pytest.mark.parametrize("extra", [(), (prepared(blank()),)])
def test_photos_that_cannot_be_judged_are_answered_with_image_quality(
    extra: tuple[Any, ...], certified: Categorizer
) -> None:
    answer = certified.answer(Item(photos=(prepared(blank()), *extra)))
    assert (answer.status, answer.depth) == (Status.IMAGE_QUALITY, 0)
    assert len(answer.quality_faults) == 1 + len(extra)
    assert answer.quality_faults[0].startswith("blank frame: contrast 0")


@pytest.mark.parametrize("bad", [1, 2])
def test_one_photo_that_can_be_judged_is_enough(bad: int, certified: Categorizer) -> None:
    good = told("sandals", (IMAGE,))
    answer = certified.answer(Item(photos=(*[prepared(blank())] * bad, *good.photos)))
    alone = certified.answer(good)
    assert (answer.status, answer.levels) == (Status.ANSWERED, alone.levels)
    assert len(answer.quality_faults) == bad


def test_a_photo_that_cannot_be_judged_is_left_out_where_a_title_is_given(certified: Categorizer) -> None:
    answer = certified.answer(Item(photos=(prepared(blank()),), title="One sandals"))
    assert answer.modalities == (TEXT,)
    assert (answer.status, answer.levels[-1].label, answer.novelty) == (Status.ANSWERED, "sandals", 0)
    assert len(answer.quality_faults) == 1
    assert answer.levels == certified.answer(Item(title="One sandals")).levels


def test_a_title_that_is_none_is_refused(certified: Categorizer) -> None:
    long = Item(title="sandals " * 12_500, photos=(prepared(photo("tees")),))
    with pytest.raises(CatalogError, match="title: expected at most 10000 characters, found 100000"):
        certified.ask(long)
    assert certified.answer(Item(title=long.title[:MAX_TITLE])).levels[-1].label == "sandals"


def test_a_product_that_its_photo_does_not_show_is_left_out(certified: Categorizer) -> None:
    backdrop = prepared(np.asarray(photo("tees") * 0 + photo("tees", 7)[:1, :1], np.uint8))
    tiny = photo("sandals")
    tiny[:] = tiny[0, 0]
    tiny[60:66, 60:66] = photo("sandals")[48, 48]
    answer = certified.answer(Item(photos=(prepared(tiny),), title="One sandals"))
    assert answer.modalities == (TEXT,)
    assert answer.quality_faults[0].startswith("product too small")
    assert certified.answer(Item(photos=(backdrop,))).status is Status.IMAGE_QUALITY


def test_an_item_with_nothing_to_read_is_refused(certified: Categorizer) -> None:
    with pytest.raises(CatalogError, match="expected a photo, or any of"):
        certified.answer(Item(title="\u200b", attributes={"brand": "Ox"}))


def test_attributes_that_were_not_learned_are_told_and_change_nothing(certified: Categorizer) -> None:
    item = told("tees", (IMAGE,))
    more = Item(photos=item.photos, attributes={"brand": "Ox", "season": "monsoon"})
    answer = certified.answer(more)
    assert answer.not_understood == {"brand": "Ox", "season": "monsoon"}
    assert answer.levels == certified.answer(item).levels


@pytest.mark.parametrize("modalities", [ALL, (IMAGE,), (IMAGE, TEXT)])
def test_several_photos_are_pooled_by_averaging_their_terms(
    modalities: tuple[str, ...], uncertified: Categorizer
) -> None:
    item = told("sneakers", modalities)
    photos = (*item.photos, prepared(photo("sandals", 201)), prepared(photo("sneakers", 202, cell_xy=(2, 0))))
    asked = uncertified.ask(Item(photos=photos, title=item.title, attributes=item.attributes))
    predictions = uncertified.predict(asked.rows)
    pooled = pooled_logits(predictions, TREE.levels)
    # the graph is affine in the picture's term, so the mean of the photos' logits is the same
    alone = [
        uncertified.predict(
            uncertified.ask(Item(photos=(one,), title=item.title, attributes=item.attributes)).rows
        )[0]
        for one in photos
    ]
    for level, logits in zip(TREE.levels, pooled, strict=True):
        assert logits == pytest.approx(np.mean([one[f"logits_{level}"] for one in alone], axis=0), abs=1e-4)


def test_the_same_photo_twice_says_no_more_than_once(certified: Categorizer) -> None:
    item = told("shirts", ALL)
    twice = Item(photos=item.photos * 2, title=item.title, attributes=item.attributes)
    once, both = certified.answer(item), certified.answer(twice)
    assert [one.probability for one in both.levels] == pytest.approx([one.probability for one in once.levels])
    assert both.novelty == pytest.approx(once.novelty, abs=1e-3)
    assert both.embedding == pytest.approx(once.embedding)


def test_items_in_one_batch_are_answered_as_each_alone(certified: Categorizer) -> None:
    items = [told("tees", ALL), told("belts", (TEXT,)), Item(attributes=WINTER), told("sandals", (IMAGE,))]
    items.append(Item(photos=(*told("shirts", (IMAGE,)).photos, *told("tees", (IMAGE,)).photos)))
    asked = [certified.ask(item) for item in items]
    predictions = certified.predict([row for one in asked for row in one.rows])
    first = 0
    for item, one in zip(items, asked, strict=True):
        together = certified.categorize(one, predictions[first : first + len(one.rows)])
        alone = certified.answer(item)
        first += len(one.rows)
        assert (together.status, together.depth, together.modalities) == (
            alone.status,
            alone.depth,
            alone.modalities,
        )
        for there, here in zip(together.levels, alone.levels, strict=True):
            assert there.label == here.label
            assert there.probability == pytest.approx(here.probability, abs=1e-5)


def test_each_subset_has_its_own_temperature(uncertified: Categorizer) -> None:
    halved = {name: value / 2 for name, value in temperatures().items()}
    reading = uncertified.reading.model_copy(update={"temperatures": {**temperatures(), TEXT: halved[TEXT]}})
    sharper = Categorizer(uncertified.bundle, choice=uncertified.choice)
    sharper.spec = uncertified.spec.model_copy(update={"files": {MODEL: reading}})
    photo_alone, title_alone = told("tees", (IMAGE,)), Item(title="tee shirt")
    assert sharper.answer(photo_alone).levels == uncertified.answer(photo_alone).levels
    assert (
        sharper.answer(title_alone).levels[-1].probability
        > uncertified.answer(title_alone).levels[-1].probability
    )


@pytest.mark.parametrize(
    ("by_level", "thresholds", "expected"),
    [
        ([[0.9, 0.1], [0.8, 0.2]], (0.5, 0.8), (2, 0)),  # at the threshold counts
        ([[0.9, 0.1], [0.21, 0.79]], (0.5, 0.8), (1, 0)),
        ([[0.4, 0.6], [0.9, 0.1]], (0.9, 0.8), (2, 0)),  # what the level below is sure of needs no more
        ([[0.4, 0.6], [0.6, 0.4]], (0.9, 0.8), (0, 1)),
        ([[0.1, 0.9], [1.0, 0.0]], (0.5, None), (1, 1)),
        ([[0.1, 0.9], [0.4, 0.6]], (None, None), (0, 1)),
        ([[np.nan, np.nan], [np.nan, np.nan]], (0.5, 0.5), (0, 0)),
    ],
)
def test_the_deepest_level_that_reaches_its_threshold_counts(
    by_level: list[list[float]], thresholds: tuple[float | None, ...], expected: tuple[int, int]
) -> None:
    assert deepest([np.array(one) for one in by_level], promised(*thresholds)) == expected


def test_a_model_that_answers_no_numbers_answers_for_nothing(uncertified: Categorizer) -> None:
    asked = uncertified.ask(told("tees", (IMAGE,)))
    (prediction,) = uncertified.predict(asked.rows)
    broken = {name: np.full_like(values, np.nan) for name, values in prediction.items()}
    assert uncertified.categorize(asked, [broken]).status is Status.UNKNOWN


@pytest.mark.parametrize("form", ["shop", "shop.loupe"])
@pytest.mark.parametrize("modalities", [ALL, (IMAGE,), (IMAGE, TEXT), (IMAGE, ATTRIBUTES)])
def test_a_bundle_is_opened_verified_and_warmed_up(
    modalities: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    path = make_catalog_bundle(tmp_path / form, modalities=modalities).path
    categorizer = open_categorizer(path)
    assert categorizer.answer(told("tees", (IMAGE,))).levels[-1].label == "tees"
    assert categorizer.choice.file == MODEL


def other(path: Path, *, arrays: dict[str, npt.NDArray[Any]] | None = None, **changed: Any) -> Bundle:
    """The shop's bundle with another reference, or another spec than its model's."""
    good = make_catalog_bundle(path / "good")
    contents = {REFERENCE: pack_arrays({**good.arrays(REFERENCE), **arrays})} if arrays else {}
    described = spec(certified=False).model_copy(update=changed).into(manifest())
    return make_catalog_bundle(path / "other", contents=contents, decision=described.decision)


def shortened(**changed: Any) -> Any:
    text = spec().text
    assert text is not None
    return text.model_copy(update=changed)


def with_more_values() -> Any:
    attributes = spec().attributes
    assert attributes is not None
    first, second = attributes.columns
    longer = AttributeColumn(name=second.name, values=(*second.values, "children"))
    return attributes.model_copy(update={"columns": (first, longer)})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text": shortened(length=16)}, "cannot run pictures of shape .*text"),
        ({"text": shortened(buckets=8192)}, "cannot run pictures of shape"),
        ({"attributes": with_more_values()}, "cannot run pictures of shape"),
        (
            {"arrays": {"search_axes": np.eye(12, 8, dtype=np.float32)}},
            "an output embedding for 12 dimensions, found",
        ),
        (
            {"arrays": {"search_axes": np.eye(11, 7, dtype=np.float32)}},
            "expected novelty vectors of 7 dimensions, found 8",
        ),
    ],
)
def test_a_model_that_does_not_fit_its_spec_is_refused_before_it_answers(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=said):
        Categorizer(other(tmp_path, **changed))


def test_a_model_without_one_of_the_answers_is_refused(tmp_path: Path) -> None:
    graph = onnx.load_from_string(onnx_model())
    for output in [one for one in graph.graph.output if one.name == "cam_family"]:
        graph.graph.output.remove(output)
    bundle = make_catalog_bundle(
        tmp_path / "shop", certified=False, contents={MODEL: graph.SerializeToString()}
    )
    with pytest.raises(BundleError, match="expected an output cam_family for 4 classes, found none"):
        Categorizer(bundle)
