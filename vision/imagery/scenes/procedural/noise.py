"""Smooth noise for surfaces seen in perspective.

A table's rows are each at one distance, so noise on it is a lattice interpolated once a row and then along the row.
"""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[np.float32]

_Places: TypeAlias = npt.NDArray[np.floating[Any]]
_SIDE: Final = 128  # of the lattice, which repeats


class Noise:
    """Value noise (K. Perlin's smooth step between lattice values), float32 in -1 to 1, the same for the same seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._lattice = (rng.random((_SIDE, _SIDE), np.float32) * 2 - 1).astype(np.float32)

    def at(self, z_h: _Places, x_hw: _Places) -> Plane:
        """Noise at rows `z_h` (H,) and columns `x_hw` (H, W), both in lattice cells; (H, W)."""
        row, down = _cell(z_h)
        lattice = self._lattice
        rows = lattice[row] + (lattice[(row + 1) % _SIDE] - lattice[row]) * down[:, None]
        column, right = _cell(x_hw)
        start = (np.arange(len(z_h), dtype=np.int32) * _SIDE)[:, None]
        flat = rows.ravel()
        here, there = flat.take(column + start), flat.take((column + 1) % _SIDE + start)
        blended: Plane = here + (there - here) * right
        return blended


def _cell(where: _Places) -> tuple[npt.NDArray[np.int32], Plane]:
    """The lattice cell, and how far into it, eased."""
    places = np.asarray(where, np.float32)
    floor = np.floor(places)
    inside = places - floor
    return floor.astype(np.int32) % _SIDE, inside * inside * (3 - 2 * inside)


def ramp(values: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, eased between."""
    share = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    eased: Plane = share * share * (3 - 2 * share)
    return eased
