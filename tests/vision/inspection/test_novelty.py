"""A part is novel when it lies farther from the known parts than known parts do."""

import math
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.errors import BundleError, SettingsError
from vision.inspection.novelty import MAX_REFERENCE, choose_reference, radius, reference

KNOWN: Final = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


def test_distance_is_one_minus_the_cosine_of_the_angle() -> None:
    along_x = reference(np.array([[1.0, 0.0]]))
    directions = np.array([[5, 0], [1, 1], [0, 2], [-1, 1], [-3, 0]], np.float32)
    expected = [0, 1 - math.sqrt(0.5), 1, 1 + math.sqrt(0.5), 2]
    assert along_x.distances(directions) == pytest.approx(expected, abs=1e-6)


def test_distance_is_the_average_over_the_three_nearest() -> None:
    angles = np.radians([0, 60, 90, 180, 270])
    known = reference(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert known.distances(np.array([[1, 0]], np.float32)) == pytest.approx([(0 + 0.5 + 1) / 3], abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 49), st.floats(1e-3, 1e3))
def test_a_part_known_three_times_has_no_distance_at_any_brightness(index: int, scale: float) -> None:
    known = reference(np.concatenate([KNOWN, KNOWN, KNOWN]))
    assert known.distances(np.float32(scale) * KNOWN[index : index + 1]) == pytest.approx([0], abs=1e-6)


def test_fewer_than_three_known_parts_are_enough() -> None:
    assert reference(KNOWN[:1]).distances(KNOWN[:1]) == pytest.approx([0], abs=1e-6)
    assert reference(KNOWN[:2]).distances(KNOWN[2:5]).shape == (3,)


def test_an_embedding_of_zeros_is_as_far_as_a_right_angle() -> None:
    assert reference(KNOWN).distances(np.zeros((1, 8), np.float32)) == pytest.approx([1])


def test_half_precision_is_enough_for_the_reference() -> None:
    full, half = reference(KNOWN), reference(KNOWN.astype(np.float16))
    others = np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32)
    difference = np.abs(full.distances(others) - half.distances(others)).max()
    assert difference < 1e-3, f"distances differ by {difference}"


@pytest.mark.parametrize("shape", [(0, 8), (8,), (2, 3, 4)])
def test_a_reference_needs_parts(shape: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="expected shape"):
        reference(np.zeros(shape))


@pytest.mark.parametrize(("parts", "false_alarm"), [(19, 0.05), (100, 0.05), (199, 0.01), (250, 0.1)])
def test_of_known_parts_no_more_are_called_novel_than_asked(parts: int, false_alarm: float) -> None:
    rng, repeats = np.random.default_rng(2), 4000
    tune, later = rng.exponential(size=(repeats, parts)), rng.exponential(size=repeats)
    alarms = [
        bool(one > radius(given, false_alarm=false_alarm)) for given, one in zip(tune, later, strict=True)
    ]
    error = math.sqrt(false_alarm * (1 - false_alarm) / repeats)
    assert np.mean(alarms) <= false_alarm + 3 * error
    assert np.mean(alarms) >= 0.5 * false_alarm, "the radius is wider than it needs to be"


@pytest.mark.parametrize(
    ("count", "false_alarm", "expected"),
    [
        (99, 0.01, 99.0),  # the 99th of 99: rank ceil(100 x 0.99)
        (199, 0.01, 198.0),
        (19, 0.05, 19.0),
        (98, 0.01, 1.5 * 98),  # too few for such a promise
        (1, 0.01, 1.5),
    ],
)
def test_the_radius_is_a_rank_of_the_distances(count: int, false_alarm: float, expected: float) -> None:
    distances = np.random.default_rng(3).permutation(np.arange(1.0, count + 1))
    assert radius(distances, false_alarm=false_alarm) == expected


@pytest.mark.parametrize(
    ("distances", "false_alarm"), [([], 0.01), ([1.0], 0.0), ([1.0], 1.0), ([1.0], math.nan)]
)
def test_a_radius_needs_distances_and_a_probability(distances: list[float], false_alarm: float) -> None:
    with pytest.raises(SettingsError, match="novelty: expected distances and 0 < false_alarm < 1"):
        radius(np.array(distances), false_alarm=false_alarm)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_the_reference_holds_every_class_as_evenly_as_it_can(sizes: list[int]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    chosen = choose_reference(np.random.default_rng(4).permutation(labels))
    assert len(chosen) == len(set(chosen.tolist())) == min(MAX_REFERENCE, sum(sizes))
    counts = np.bincount(np.random.default_rng(4).permutation(labels)[chosen], minlength=len(sizes))
    for size, count in zip(sizes, counts.tolist(), strict=True):
        # a class is smaller than the largest share only where all of it was taken
        assert count == size or count >= counts.max() - 1


def test_the_choice_of_reference_is_the_seeds() -> None:
    labels = np.zeros(1000, np.int64)
    assert np.array_equal(choose_reference(labels, seed=1), choose_reference(labels, seed=1))
    assert not np.array_equal(choose_reference(labels, seed=1), choose_reference(labels, seed=2))
