"""Have the parts changed since calibration? A sequential test whose false-alarm probability is bounded.

Each part's distance from the reference becomes a conformal p-value against the calibration parts and all parts since;
while parts are exchangeable these are independent and uniform (Vovk, Gammerman & Shafer, Algorithmic Learning in
a Random World, 2005). A martingale bets against that: by Ville's inequality its capital ever reaches 1/alpha with
probability at most alpha, however long the line runs. Reaching it is the alarm.

The bets are the "simple jumper" (Vovk et al. 2021, Retrain or not retrain, arXiv:2102.10439), and two more on the middle
against the ends, without which a camera that shows one and the same average part for ever would go unnoticed. So that a long quiet time does
not use the capital up, part of it is kept in hand and staked bit by bit: 1/(n(n+1)) of it at the n-th part. What is kept
and what is staked still add up to a martingale.

Distances are counted in bins whose edges were fixed beforehand; ties are broken by a reproducible uniform draw, which
keeps the p-values exact and the memory constant.
"""

import bisect
import math
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.errors import SettingsError

BINS: Final = 64
JUMP: Final = 0.01  # share of the stake that is spread over the other bets at each part (Vovk et al. 2021)
# f(p) = 1 + e (p - 1/2) + c cos(2 pi p), nowhere negative and 1 on average. Small p (far from known parts) pays for e < 0,
# p in the middle for c < 0.
_BETS: Final = ((-2.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, -1.0), (0.0, 1.0))
_MASK: Final = (1 << 64) - 1


class DriftReference(BaseModel):
    """The calibration parts' distances, as counts between rising edges (one more count than edges)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edges: Annotated[tuple[float, ...], Field(min_length=1)]
    counts: Annotated[tuple[int, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _counts_fit_edges(self) -> Self:
        if (
            len(self.counts) != len(self.edges) + 1
            or list(self.edges) != sorted(self.edges)
            or min(self.counts) < 0
        ):
            raise ValueError("expected rising edges and one more non-negative count than edges")
        return self


def drift_reference(
    edge_distances: npt.NDArray[np.floating], distances: npt.NDArray[np.floating]
) -> DriftReference:
    """Count `distances` (calibration parts) between quantiles of `edge_distances` (other parts, so fixed beforehand)."""
    quantiles = np.quantile(np.asarray(edge_distances, float), np.linspace(0, 1, BINS + 1)[1:-1])
    edges = tuple(sorted({float(np.round(edge, 6)) for edge in quantiles}))
    counts = np.bincount(
        [bisect.bisect_right(edges, float(distance)) for distance in distances], minlength=len(edges) + 1
    )
    return DriftReference(edges=edges, counts=tuple(int(count) for count in counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The test's state after `parts` parts; `update` gives the next.

    Attributes:
        log_capital: natural logarithm of the martingale's value; starts at 0.
        alarm: whether the capital has ever reached 1/alpha. It stays so until a new calibration.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    alpha: float
    seed: int
    parts: int = 0
    kept: float = 1.0
    staked: tuple[float, ...] = (0.0,) * len(_BETS)
    log_scale: float = 0.0
    log_capital: float = 0.0
    alarm: bool = False

    def update(self, distance: float) -> "Drift":
        """The state after one more part at `distance` from the reference."""
        cell = bisect.bisect_right(self.edges, distance)
        counts = (*self.counts[:cell], self.counts[cell] + 1, *self.counts[cell + 1 :])
        farther, equal = sum(counts[cell + 1 :]), counts[cell]
        p = (farther + _uniform(self.seed, self.parts) * equal) / sum(counts)
        return replace(self, counts=counts)._bet(p)

    def _bet(self, p: float) -> "Drift":
        n = self.parts + 1
        fresh = math.exp(-self.log_scale) / (n * (n + 1)) / len(_BETS)  # the original capital's n-th share
        stakes = [staked + fresh for staked in self.staked]
        total = sum(stakes)
        spread = [(1 - JUMP) * stake + JUMP * total / len(_BETS) for stake in stakes]
        slope, wave = p - 0.5, math.cos(2 * math.pi * p)
        won = tuple(stake * (1 + e * slope + c * wave) for stake, (e, c) in zip(spread, _BETS, strict=True))
        kept = 1.0 / (n + 1)  # 1 - sum of 1/(k(k+1)) up to n
        log_capital = float(np.logaddexp(math.log(kept), self.log_scale + math.log(max(sum(won), 1e-300))))
        shift = math.log(max(sum(won), 1e-300))
        scaled = tuple(stake / math.exp(shift) for stake in won) if abs(shift) > 200 else won
        return replace(
            self,
            parts=n,
            kept=kept,
            staked=scaled,
            log_scale=self.log_scale + (shift if scaled is not won else 0.0),
            log_capital=log_capital,
            alarm=self.alarm or log_capital >= -math.log(self.alpha),
        )


def watch(reference: DriftReference, *, alpha: float = 0.01, seed: int = 0) -> Drift:
    """Begin to watch for drift, with a false alarm ever having at most the probability `alpha`.

    Raises:
        SettingsError: alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise SettingsError(f"drift alpha: expected a value between 0 and 1, found {alpha}")
    return Drift(edges=reference.edges, counts=reference.counts, alpha=alpha, seed=seed)


def _uniform(seed: int, n: int) -> float:
    """The n-th of a reproducible sequence in [0, 1): SplitMix64 (Steele, Lea & Flood 2014)."""
    z = (seed * 0xD6E8FEB86659FD93 + (n + 1) * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return float((z ^ (z >> 31)) >> 11) / float(1 << 53)
