from itertools import pairwise

import cv2
import numpy as np
import pytest

from training import duplicates
from training.duplicates import clusters, find_alike
from vision.image import Pixels

SIDE = 64


def part(number: int, kind: int = 0) -> Pixels:
    """uint8 (64, 64): one of many parts that differ by a faint texture alone; `kind` is their common look."""
    look = np.random.default_rng((1, kind)).integers(40, 200, (4, 4)).astype(np.uint8)
    blank = cv2.resize(look, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    texture = cv2.GaussianBlur(
        np.random.default_rng((2, kind, number)).normal(0, 60, (SIDE, SIDE)), (0, 0), 3
    )
    return np.clip(blank + texture, 0, 255).astype(np.uint8)


def parts(count: int, kind: int = 0) -> list[Pixels]:
    return [part(number, kind) for number in range(count)]


def jpeg(grey: Pixels, quality: int = 60) -> Pixels:
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def photographed_again(grey: Pixels, seed: int) -> Pixels:
    """The same thing a little brighter and with other noise."""
    noise = np.random.default_rng((3, seed)).normal(0, 2, grey.shape)
    return np.clip(1.05 * grey + 4 + noise, 0, 255).astype(np.uint8)


def correlation(one: Pixels, other: Pixels) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_to_compare_have_no_pairs(count: int) -> None:
    alike = find_alike(np.zeros((count, SIDE, SIDE), np.uint8))
    assert (alike.near, alike.family) == ((), ())


def test_parts_that_all_look_alike_are_not_copies() -> None:
    pictures = parts(40)
    assert min(correlation(one, other) for one, other in pairwise(pictures)) > duplicates.CANDIDATE
    alike = find_alike(np.stack(pictures))
    assert (alike.near, alike.family) == ((), ())


def test_a_copy_is_found_among_parts_that_all_look_alike() -> None:
    pictures = [*parts(40), jpeg(part(7)), photographed_again(part(30), 0)]
    assert find_alike(np.stack(pictures)).near == ((7, 40), (30, 41))


def test_several_copies_of_one_picture_are_all_found() -> None:
    pictures = [*parts(40), jpeg(part(7), 90), jpeg(part(7), 60), photographed_again(part(7), 0)]
    assert clusters(43, find_alike(np.stack(pictures)).near) == [(7, 40, 41, 42)]


def test_of_two_pictures_alone_the_copy_is_found_and_the_stranger_is_not() -> None:
    assert find_alike(np.stack([part(0), jpeg(part(0))])).near == ((0, 1),)
    assert find_alike(np.stack([part(0), part(0, kind=1)])).near == ()


@pytest.mark.parametrize("count", [3, 4, 5, 9])
def test_a_handful_of_parts_of_one_type_are_not_copies(count: int) -> None:
    assert find_alike(np.stack(parts(count))).near == ()


def test_a_mirrored_part_is_another_part() -> None:
    assert find_alike(np.stack([*parts(40), part(7)[:, ::-1]])).near == ()


def test_many_frames_of_one_thing_are_a_family_and_not_copies() -> None:
    frames = [photographed_again(part(0, kind=1), seed) for seed in range(20)]
    alike = find_alike(np.stack([*parts(40), *frames]))
    assert alike.near == ()
    assert clusters(60, alike.family) == [tuple(range(40, 60))]


def test_pictures_of_one_grey_resemble_nothing() -> None:
    blanks = [np.full((SIDE, SIDE), level, np.uint8) for level in (0, 128, 255)]
    assert find_alike(np.stack([*blanks, *parts(5)])).near == ()


def test_small_blocks_find_what_one_block_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.stack([*parts(40), jpeg(part(7)), photographed_again(part(30), 0), *parts(12, kind=1)])
    whole = find_alike(pictures)
    monkeypatch.setattr(duplicates, "_BLOCK_VALUES", 100)
    assert find_alike(pictures) == whole


def test_the_thumbnail_threshold_can_be_raised_until_nothing_is_looked_at() -> None:
    assert find_alike(np.stack([*parts(40), jpeg(part(7))]), candidate=1.1).near == ()


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        ([(0, 1)], [(0, 1)]),
        ([(0, 3), (3, 4)], [(0, 3, 4)]),  # through a third
        ([(3, 4), (0, 1), (1, 4)], [(0, 1, 3, 4)]),  # two clusters that grow together
        ([(0, 2), (1, 4)], [(0, 2), (1, 4)]),
    ],
)
def test_clusters_hang_together_through_pairs(
    pairs: list[tuple[int, int]], expected: list[tuple[int, ...]]
) -> None:
    assert clusters(5, pairs) == expected
