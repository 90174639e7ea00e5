"""Pictures that are nearly the same, among thousands: re-encoded copies, second photographs of one thing.

Takes small grey pictures, gives pairs of their indices. It knows nothing of files, labels or splits: what a pair
means is for `training.audit` to say.

No fixed similarity tells a copy from another part on a production line, where every good part looks alike: among
the ELPV solar cells, different cells correlate up to 0.998 and two photographs of one cell down to 0.95. What tells
them apart is the company they keep: a copy lies several times nearer to its original than any other part does. So
each picture's neighbours are put in order of distance, and those before a clear gap are its copies.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vision.image import Pixels

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

COARSE_PX: Final = 16
"""Side of the thumbnails that are compared all with all."""

CANDIDATE: Final = 0.95
"""A picture none of whose thumbnail correlations reaches this has no near-duplicate. Of 600 copies at JPEG quality 50,
at half the size, with noise or 15 % brighter, the furthest was at 0.964."""

GAP: Final = 1 / 3
"""Copies are at most this fraction as far away as the next neighbour. Two photographs of one ELPV cell lie at 0.08 to
0.23, the most similar cells of different modules at 0.43."""

STRANGER: Final = 0.15
"""A next neighbour counts as no further than this, so copies correlate by at least 1 - 0.15 / 3 = 0.95."""

COPIES: Final = 8
"""More pictures than this before the gap are a family that looks alike: the parts of one type among other types, or
the frames of one film. Which of the two, pixels cannot say."""

NEIGHBOURS: Final = 32
"""Nearest thumbnails that are looked at closely. A family larger than this is the usual picture, not a find."""

_ROUNDING: Final = 1e-5  # 1 - correlation of what differs by 8-bit rounding alone
_BLOCK_VALUES: Final = 1 << 23  # 32 MiB of float32 at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Pairs of indices, the smaller first, in rising order.

    Attributes:
        near: near-duplicates.
        family: of one look-alike family, and not near-duplicates.
    """

    near: tuple[tuple[int, int], ...]
    family: tuple[tuple[int, int], ...]


def find_alike(greys: Pixels, *, candidate: float = CANDIDATE) -> Alike:
    """Find near-duplicates and look-alike families.

    Time grows with the square of N (seconds for 10,000), memory with N.

    Args:
        greys: uint8 (N, S, S), S a multiple of `COARSE_PX`; no two the same, for exact copies would crowd
            out other neighbours.
        candidate: thumbnail correlation below which a pair is not looked at.
    """
    count = len(greys)
    if count < 2:
        return Alike(near=(), family=())
    rows, neighbours = _shortlist(_unit(_thumbnails(greys)), candidate)
    neighbours, distances = _by_distance(greys, rows, neighbours)
    # What resembles half of all pictures is the usual look, not a copy.
    copies = _before_gap(distances, min(COPIES, max(1, (count - 1) // 2)))
    family = _before_gap(distances, neighbours.shape[1] - 1)
    near = _mutual(rows, neighbours, copies)
    return Alike(near=tuple(sorted(near)), family=tuple(sorted(_mutual(rows, neighbours, family) - near)))


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Indices below `count` that hang together through pairs, two or more at a time.

    >>> clusters(5, [(0, 3), (3, 4)])
    [(0, 3, 4)]
    """
    leader = list(range(count))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for one, other in pairs:
        first, second = sorted((find(one), find(other)))
        leader[second] = first
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(count):
        members[find(index)].append(index)
    return [tuple(found) for found in members.values() if len(found) > 1]


def _thumbnails(greys: Pixels) -> Floats:
    """(N, COARSE_PX, COARSE_PX): the mean of each square of pixels."""
    step = greys.shape[1] // COARSE_PX
    squares = greys.reshape(len(greys), COARSE_PX, step, COARSE_PX, step)
    return np.asarray(squares.mean(axis=(2, 4)), np.float32)


def _unit(pictures: npt.NDArray[np.uint8] | Floats) -> Floats:
    """(N, P): mean removed and length 1, so that products are correlations; a picture of one grey is all zero."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, np.float32(1e-6)))


def _shortlist(thumbs: Floats, candidate: float) -> tuple[Indices, Indices]:
    """Rows that have a candidate, (R,), and the indices of their nearest thumbnails, (R, K)."""
    count = len(thumbs)
    nearest = min(NEIGHBOURS, count - 1)
    block = max(1, _BLOCK_VALUES // count)
    rows, neighbours = [], []
    for start in range(0, count, block):
        scores = thumbs[start : start + block] @ thumbs.T
        own = np.arange(len(scores))
        scores[own, start + own] = -2  # below any correlation
        chosen = np.flatnonzero(scores.max(axis=1) >= candidate)
        rows.append(start + chosen)
        neighbours.append(np.argpartition(scores[chosen], count - nearest, axis=1)[:, -nearest:])
    return np.concatenate(rows), np.concatenate(neighbours)


def _by_distance(greys: Pixels, rows: Indices, neighbours: Indices) -> tuple[Indices, Floats]:
    """Neighbours in rising distance, with the distances (1 - correlation at full size), both (R, K)."""
    count, nearest = neighbours.shape
    distances = np.empty((count, nearest), np.float32)
    block = max(1, _BLOCK_VALUES // (nearest * greys[0].size))
    for start in range(0, count, block):
        some = slice(start, start + block)
        own = _unit(greys[rows[some]])
        others = _unit(greys[neighbours[some].ravel()]).reshape(len(own), nearest, -1)
        distances[some] = 1 - (others @ own[:, :, None])[:, :, 0]
    order = np.lexsort((neighbours, distances), axis=1)
    distances = np.maximum(np.take_along_axis(distances, order, axis=1), np.float32(_ROUNDING))
    return np.take_along_axis(neighbours, order, axis=1), distances


def _before_gap(distances: Floats, most: int) -> Indices:
    """How many of each row's first neighbours, at most `most`, lie before a gap; 0 without a gap. (R,)."""
    ends = np.full((len(distances), 1), STRANGER, np.float32)
    following = np.minimum(np.hstack([distances[:, 1:], ends]), np.float32(STRANGER))
    gap = (distances <= GAP * following)[:, : max(most, 0)]
    last = gap.shape[1] - np.argmax(gap[:, ::-1], axis=1) if gap.size else np.zeros(len(gap), np.intp)
    return np.where(gap.any(axis=1), last, 0)


def _mutual(rows: Indices, neighbours: Indices, counts: Indices) -> set[tuple[int, int]]:
    """Pairs in which each is among the other's first `counts` neighbours."""
    chosen = {
        (int(row), int(other))
        for row, found, count in zip(rows, neighbours, counts, strict=True)
        for other in found[:count]
    }
    return {(one, other) for one, other in chosen if one < other and (other, one) in chosen}
