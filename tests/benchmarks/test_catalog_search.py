"""The search benchmark, small, on made-up embeddings."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.catalog_embeddings import made_up
from benchmarks.catalog_search import figures
from benchmarks.catalog_vectors import Surroundings, true_neighbours

pytestmark = [pytest.mark.torch, pytest.mark.slow]


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
    assert found["search_iconic_top_1"].target == ">= 0.89"
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
