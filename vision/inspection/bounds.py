"""How often, at most: exact bounds on a share from a count, without a statistics library.

`training.statistics` has the same and more with SciPy; this is what the runtime needs.
"""

import math

_HALVINGS = 60


def upper_bound(failures: int, units: int, confidence: float) -> float:
    """The one-sided exact upper bound on a binomial share (Clopper & Pearson 1934, Biometrika 26), 0..1.

    Args:
        confidence: that the bound holds, such as 0.95.
    """
    if failures >= units:
        return 1.0
    low, high = failures / units, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(failures, units, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(failures: int, units: int, share: float) -> float:
    """The probability of at most so many failures among units that fail with this share."""
    if share in {0.0, 1.0}:
        return 1.0 - share
    logs = (
        math.lgamma(units + 1)
        - math.lgamma(count + 1)
        - math.lgamma(units - count + 1)
        + count * math.log(share)
        + (units - count) * math.log1p(-share)
        for count in range(failures + 1)
    )
    return math.fsum(map(math.exp, logs))
