"""Probabilities of a tree agree: whatever the logits, a category is never more probable than those above it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.vision.catalog.shops import SHOP, shops
from vision.catalog.decode import (
    best_path_through,
    follows_above,
    level_probabilities,
    path_probabilities,
)
from vision.catalog.taxonomy import Taxonomy

Logits = list[npt.NDArray[np.float64]]
Case = tuple[Taxonomy, Logits, float]


@st.composite
def answered(draw: st.DrawFn) -> Case:
    """A tree, one item's logits at each level, and a temperature."""
    tree = draw(shops())
    values = st.floats(-30, 30, width=32)
    logits = [
        draw(arrays.arrays(np.float64, (1, len(tree.labels(one))), elements=values)) for one in tree.levels
    ]
    return tree, logits, draw(st.floats(0.25, 4))


def decoded(
    tree: Taxonomy, logits: Logits, temperature: float = 1.0
) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.float64]]]:
    """The paths' probabilities (P,) and the levels' (C,)."""
    by_path = path_probabilities(logits, tree.paths, temperature)
    by_level = level_probabilities(by_path, tree.paths, [one.shape[1] for one in logits])
    return by_path[0], [one[0] for one in by_level]


@given(answered())
def test_a_class_is_never_more_probable_than_those_above_it_together(
    case: Case,
) -> None:
    tree, logits, temperature = case
    _, by_level = decoded(tree, logits, temperature)
    for above, below in zip(range(len(by_level)), range(1, len(by_level)), strict=False):
        for label in range(len(by_level[below])):
            parents = np.unique(tree.paths[tree.paths[:, below] == label, above])
            assert by_level[below][label] <= by_level[above][parents].sum() + 1e-12
        for label in range(len(by_level[above])):
            children = np.unique(tree.paths[tree.paths[:, above] == label, below])
            assert by_level[above][label] <= by_level[below][children].sum() + 1e-12


@given(answered())
def test_each_levels_probabilities_add_up_to_one(case: Case) -> None:
    by_path, by_level = decoded(*case)
    for one in (by_path, *by_level):
        assert one.sum() == pytest.approx(1)
        assert (one >= 0).all()


@given(answered())
def test_they_are_what_adding_up_path_by_path_gives(case: Case) -> None:
    tree, logits, temperature = case
    weights = []
    for path in tree.paths.tolist():
        weight = 1.0
        for level, place in enumerate(path):
            powers = np.exp(logits[level][0] / temperature - logits[level][0].max() / temperature)
            weight *= powers[place] / powers.sum()
        weights.append(weight)
    by_path, by_level = decoded(tree, logits, temperature)
    total = sum(weights)
    assert by_path == pytest.approx([weight / total for weight in weights], rel=1e-6)
    for level, found in enumerate(by_level):
        for label, probability in enumerate(found):
            through = [one for one, path in zip(weights, tree.paths, strict=True) if path[level] == label]
            assert probability == pytest.approx(sum(through) / total, rel=1e-6)


@given(answered())
def test_the_best_path_through_a_class_is_the_most_probable_of_those(
    case: Case,
) -> None:
    tree, logits, temperature = case
    by_path, _ = decoded(tree, logits, temperature)
    for level, scores in enumerate(logits):
        for label in range(scores.shape[1]):
            best = best_path_through(by_path, tree.paths, level, label)
            assert tree.paths[best, level] == label
            assert by_path[best] == max(by_path[tree.paths[:, level] == label])


def test_a_batch_is_decoded_like_each_of_its_items() -> None:
    rng = np.random.default_rng(0)
    logits = [rng.normal(0, 3, (5, len(SHOP.labels(level)))) for level in SHOP.levels]
    together = path_probabilities(logits, SHOP.paths, 1.7)
    for index, row in enumerate(together):
        alone = path_probabilities([one[index : index + 1] for one in logits], SHOP.paths, 1.7)
        assert row == pytest.approx(alone[0], abs=1e-15)


def test_a_coarse_level_that_is_sure_decides_between_two_parents() -> None:
    flat = [np.zeros((1, len(SHOP.labels(level)))) for level in SHOP.levels]
    flat[0][0, SHOP.labels("department").index("sports")] = 9
    flat[2][0, SHOP.labels("kind").index("trainers")] = 9
    by_path, _ = decoded(SHOP, flat)
    best = best_path_through(by_path, SHOP.paths, 2, SHOP.labels("kind").index("trainers"))
    assert SHOP.labels("department")[SHOP.paths[best, 0]] == "sports"


def test_logits_of_any_size_give_numbers() -> None:
    huge = [np.full((1, len(SHOP.labels(level))), 1e30) for level in SHOP.levels]
    huge[2][0, 0] = -1e30
    by_path, by_level = decoded(SHOP, huge)
    assert np.isfinite(by_path).all()
    assert by_level[2][0] == 0


@given(answered())
def test_what_follows_from_a_class_is_on_every_path_through_it(case: Case) -> None:
    tree, _, _ = case
    for level, name in enumerate(tree.levels):
        for label in range(len(tree.labels(name))):
            through = tree.paths[tree.paths[:, level] == label]
            expected = [len(set(through[:, above].tolist())) == 1 for above in range(level)]
            assert follows_above(tree.paths, level, label).tolist() == expected
