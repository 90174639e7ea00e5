"""Figures as people read them. Never rounds to a certainty that was not measured: 99.98 % is "> 99.9%", not "100.0%"."""

import math
from typing import Final

from training.statistics import Rate

NOTHING: Final = "–"
FEW: Final = 20  # of fewer pictures one moves a rate by more than five points
_SMALLEST: Final = 1e-6


def percent(value: float | None, digits: int = 1) -> str:
    """A share, 0..1, in percent."""
    if value is None or math.isnan(value):
        return NOTHING
    if 0 < value < 1:
        smallest = 10.0**-digits
        if round(100 * value, digits) == 0:
            return f"< {smallest:.{digits}f}%"
        if round(100 * value, digits) == 100:
            return f"> {100 - smallest:.{digits}f}%"
    return f"{100 * value:.{digits}f}%"


def decimal(value: float | None) -> str:
    """A measure between 0 and 1, to three digits."""
    if value is None or math.isnan(value):
        return NOTHING
    if 0 < value < 0.0005:
        return "< 0.001"
    return "> 0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def probability(value: float) -> str:
    """A probability with as many digits as its distance from 0 or 1 needs: 0.031, 0.00042, 0.99986."""
    tail = min(value, 1 - value)
    if tail <= 0:
        return f"{value:.0f}"
    if tail < _SMALLEST:
        return "< 0.000001" if value < 0.5 else "> 0.999999"
    return f"{value:.{max(3, math.ceil(-math.log10(tail)) + 1)}f}"


def interval(rate: Rate) -> str:
    """The interval of a share, in percent."""
    return f"{percent(rate.low)} to {percent(rate.high)}"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number of things: `1 picture`, `1,200 pictures`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: list[str], most: int = 8) -> str:
    """`a, b and c`; of many the first, and how many more there are."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
