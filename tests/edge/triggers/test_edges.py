"""Edges of a polled input: bounces are none, and what is found lies where the level began."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.triggers.edges import EdgeName, Edges


def parts(levels: str, *, edge: EdgeName = "rising", stable_s: float = 0.0) -> list[int]:
    """Which readings, one a second, were found to be parts; `levels` holds 0 and 1."""
    edges = Edges(edge, stable_s=stable_s)
    found = [edges.read(at, level=one == "1") for at, one in enumerate(levels)]
    return [int(one) for one in found if one is not None]


@pytest.mark.parametrize(
    ("levels", "edge", "stable_s", "expected"),
    [
        ("", "rising", 0, []),
        ("0110", "rising", 0, [1]),
        ("0110", "falling", 0, [3]),
        ("1101", "rising", 0, [3]),  # what lay there at the beginning is no part
        ("0011", "falling", 0, []),
        ("010101", "rising", 0, [1, 3, 5]),
        ("0101100000", "rising", 1, [3]),  # a bounce first; the part begins where its level stands
        ("0111101111000", "rising", 2, [1]),  # a part that flickers is one part
        ("0111000111", "rising", 2, [1, 7]),
    ],
)
def test_an_edge_whose_level_stands_is_a_part(
    levels: str, edge: EdgeName, stable_s: float, expected: list[int]
) -> None:
    assert parts(levels, edge=edge, stable_s=stable_s) == expected


@given(runs=st.lists(st.integers(3, 9), min_size=2, max_size=20), bounces=st.data())
def test_however_contacts_bounce_each_part_is_found_once(runs: list[int], bounces: st.DataObject) -> None:
    levels = []
    for number, length in enumerate(runs):
        level = str(number % 2)
        bouncing = bounces.draw(st.sampled_from(["", "10", "01"])) if number else ""
        levels.append(bouncing + level * length)
    assert len(parts("".join(levels), stable_s=2)) == len(runs) // 2
