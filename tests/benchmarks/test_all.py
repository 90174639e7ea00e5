"""How figures are held against their targets in the picture of all benchmarks."""

from dataclasses import asdict

import pytest

from benchmarks.all import share_of_target
from benchmarks.common import Figure


@pytest.mark.parametrize(
    ("value", "target", "share"),
    [
        (0.89, ">= 0.89", 1.0),
        (5.0, "<= 10", 2.0),
        (1.5, ">= 0", 1.0),  # points by which it is better: no share of nothing
        (0.0, ">= 0", 1.0),
        (-0.2, ">= 0", 0.0),
        (0.0, "<= 0", 1.0),
        (3.0, "<= 0", 0.0),
    ],
)
def test_a_figure_is_a_share_of_its_target(value: float, target: str, share: float) -> None:
    figure = Figure(name="some", value=value, unit="some", target=target)
    assert share_of_target(asdict(figure) | {"met": figure.met}) == pytest.approx(share)
