"""The search benchmark, small, on made-up embeddings."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.catalog_embeddings import COPY, ICONIC, Pictures
from benchmarks.catalog_search import figures
from benchmarks.catalog_vectors import Surroundings, true_neighbours

pytestmark = [pytest.mark.torch, pytest.mark.slow]

CLASSES: Final = 12


def made_up(count: int) -> Pictures:
    """Classes as clouds of positive vectors; of each class an iconic picture, every tenth picture copied, and one there twice."""
    rng = np.random.default_rng(0)
    centres = rng.random((CLASSES, 300))
    number = np.concatenate([np.arange(count), np.arange(CLASSES), np.arange(0, count, 10)])
    fine = number % CLASSES
    split = np.array(["train", "test", ICONIC, COPY])[number % 2]  # as long as the longest
    split[count : count + CLASSES], split[count + CLASSES :] = ICONIC, COPY
    one_each = rng.standard_normal((len(number), 300))[number]
    greys = rng.integers(0, 256, (len(number), 64, 64), np.uint8)
    greys[count:] = greys[number[count:]]
    embeddings = np.abs(centres[fine] + 0.2 * one_each + 0.02 * rng.standard_normal(one_each.shape))
    digest = np.array([f"{place}" for place in range(len(number))])
    embeddings[CLASSES], greys[CLASSES], digest[CLASSES] = embeddings[0], greys[0], digest[0]
    return Pictures(
        embeddings=embeddings.astype(np.float32),
        greys=greys,
        path=np.array([f"{one}.jpg" for one in number]),
        catalog=np.full(len(number), "made-up"),
        fine=np.array([f"class-{one}" for one in fine]),
        coarse=np.full(len(number), ""),
        split=split,
        digest=digest,
        model=np.array("made up"),
    )


def test_the_figures_that_are_asked_for_are_measured(tmp_path: Path) -> None:
    found = {one.name: one for one in figures(made_up(900), 2000, tmp_path)}
    for name in ("search", "search_real"):
        assert found[f"{name}_recall_at_10"].value > 0.9
        assert found[f"{name}_p99"].target == "<= 10"
        assert found[f"{name}_start"].met
        assert found[f"{name}_filtered_short"].value == 0
        assert 256 < found[f"{name}_bytes_a_vector"].value < 1000
    assert 0.5 < found["search_real_recall_at_10_of_embeddings"].value < 1
    assert found["search_iconic_top_1"].value <= found["search_iconic_top_5"].value
    assert found["search_copies_found"].value > 0.9
    assert found["search_same_found"].value == 1
    assert found["search_made-up_flagged"].value < 0.05


def test_drawn_vectors_lie_nearer_to_their_own_class_than_to_others() -> None:
    pictures = made_up(900)
    real = pictures.embeddings / np.linalg.norm(pictures.embeddings, axis=1, keepdims=True)
    surroundings = Surroundings.of(real, pictures.fine)
    drawn, around = surroundings.draw(200, seed=1)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(np.ones(200), abs=1e-5)
    nearest = true_neighbours(drawn, [real])[:, 0]
    assert (pictures.fine[nearest] == pictures.fine[around]).mean() > 0.95
    assert np.array_equal(surroundings.draw(200, seed=1)[0], drawn)


def test_true_neighbours_do_not_depend_on_the_blocks_they_are_counted_in() -> None:
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    queries = vectors[:20] + np.float32(0.1)
    expected = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    for size in (11, 100, 300):
        blocks = [vectors[start : start + size] for start in range(0, 300, size)]
        assert np.array_equal(np.sort(true_neighbours(queries, blocks)), np.sort(expected))
