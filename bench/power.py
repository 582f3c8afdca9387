"""What a comparison of two ways of training would see: the analysis of `bench.contrasts`, before anything is trained.

Shapes: S seeds, P pictures, N twins.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from bench.contrasts import CONFIDENCE, Graded

POWER = 0.8  # how often a difference is to be seen
QUANTILES = (np.arange(2000) + 0.5) / 2000  # of what an error is estimated as, over which power is averaged
WIDEST = 20.0  # in errors, beyond ten times what a test asks: all is seen there

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far accuracies lie apart, as shares.

    Args:
        seeds: Standard deviation of a variant's accuracy from seed to seed, over the same pictures.
        pictures: Of one twin's score from picture to picture.
        within: Correlation of two twins' scores by picture, both of one variant.
        between: Likewise, of two variants.
    """

    seeds: float
    pictures: float
    within: float
    between: float

    def __post_init__(self) -> None:
        """Demand what scores can have: two variants are no more alike than a variant is like itself."""
        for name in ("seeds", "pictures"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be a share, 0 to 1, got {getattr(self, name)}; correct it")
        if not 0.0 <= self.between <= self.within <= 1.0:
            raise ValueError(
                f"correlations must be 0 <= between <= within <= 1, got {self.between} and {self.within}; correct them"
            )
        if not self.seeds and not self.pictures * (1 - self.between):
            raise ValueError("something must spread, got no spread of seeds or pictures; correct them")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Two variants that are to be compared."""

    spread: Spread
    num_seeds: int  # of each
    num_pictures: int

    def __post_init__(self) -> None:
        """Demand what the analysis takes."""
        for name in ("num_seeds", "num_pictures"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2, got {getattr(self, name)}; plan more")

    @property
    def true_error(self) -> float:
        """Return the standard error that the difference has."""
        of_seeds, of_pictures, luck = self._variances
        return math.sqrt(max(of_seeds, luck) + of_pictures)

    @property
    def error(self) -> float:
        """Return the standard error as the analysis estimates it, which counts a seed's luck at a picture twice."""
        return math.sqrt(sum(self._variances))

    @property
    def freedom(self) -> float:
        """Return the degrees of freedom of that estimate (Satterthwaite 1946)."""
        of_seeds, of_pictures, luck = self._variances
        spent = of_seeds**2 / 2 / (self.num_seeds - 1) + (of_pictures + luck) ** 2 / (self.num_pictures - 1)
        return float(self.error**4 / spent)

    @property
    def _variances(self) -> tuple[float, float, float]:
        """Return what seeds, pictures, and seeds at single pictures do to the difference."""
        spread = self.spread
        of_pictures = 2 * spread.pictures**2 * (spread.within - spread.between) / self.num_pictures
        luck = 2 * spread.pictures**2 * (1 - spread.within) / self.num_pictures / self.num_seeds
        return 2 * spread.seeds**2 / self.num_seeds, of_pictures, luck


def seen(plan: Plan, *, comparisons: int = 1, power: float = POWER) -> float:
    """Return the difference that is told apart so often, a share.

    Args:
        comparisons: Of the family; above 1 the difference is that of Holm's first step, the hardest.
    """
    asked = float(scipy.stats.t.ppf(1 - (1 - CONFIDENCE) / comparisons / 2, plan.freedom)) * _errors(plan)

    def lacks(shift: float) -> float:
        return float(scipy.stats.norm.sf((asked - shift) / plan.true_error).mean()) - power

    return float(scipy.optimize.brentq(lacks, 0.0, _farthest(plan, asked)))


def excluded(plan: Plan, *, power: float = POWER) -> float:
    """Return the bound that a difference is shown to be within so often where there is none, a share.

    Source: two one-sided tests at 5 % (Schuirmann 1987).
    """
    asked = float(scipy.stats.t.ppf(CONFIDENCE, plan.freedom)) * _errors(plan)

    def lacks(bound: float) -> float:
        inside = 2 * scipy.stats.norm.cdf((bound - asked) / plan.true_error) - 1
        return float(np.maximum(inside, 0.0).mean()) - power

    return float(scipy.optimize.brentq(lacks, 0.0, _farthest(plan, asked)))


def _errors(plan: Plan) -> Floats:
    """Return what the error is estimated as, at quantiles of its chi distribution."""
    return np.asarray(plan.error * np.sqrt(scipy.stats.chi2.ppf(QUANTILES, plan.freedom) / plan.freedom))


def _farthest(plan: Plan, asked: Floats) -> float:
    return float(10 * asked[-1] + WIDEST * plan.true_error)


def measured_spread(variants: Sequence[Graded]) -> Spread | None:
    """Return how far the seeds of variants lie apart, pooled; None where too little is told.

    Args:
        variants: Two that answered the same questions about several pictures, two seeds each, or more.
    """
    several = [graded for graded in variants if len(graded.sums_SP) > 1]
    if len(several) < 2 or any(not np.array_equal(graded.counts_P, several[0].counts_P) for graded in several):
        return None
    asked_P = several[0].counts_P > 0
    if asked_P.sum() < 2:
        return None
    scores_NP = np.concatenate([graded.sums_SP[:, asked_P] / graded.counts_P[asked_P] for graded in several])
    covariances_NN = np.cov(scores_NP)
    seeds, pictures = (
        math.sqrt(float(np.mean(found)))
        for found in ([np.var(graded.accuracies, ddof=1) for graded in several], np.diag(covariances_NN))
    )
    variant_N = np.repeat(np.arange(len(several)), [len(graded.sums_SP) for graded in several])
    within, between = _correlations(covariances_NN, variant_N)
    if not seeds and not pictures * (1 - between):
        return None
    return Spread(seeds=seeds, pictures=pictures, within=max(within, between), between=between)


def _correlations(covariances_NN: Floats, variant_N: NDArray[np.intp]) -> tuple[float, float]:
    """Return the mean covariance of two twins over the mean variance: of one variant, and of two."""
    is_pair_NN = ~np.eye(len(variant_N), dtype=bool)
    is_same_NN = variant_N[:, None] == variant_N
    variance = float(np.diag(covariances_NN).mean()) or 1.0
    within, between = (covariances_NN[is_pair_NN & kept].mean() / variance for kept in (is_same_NN, ~is_same_NN))
    return float(np.clip(within, 0.0, 1.0)), float(np.clip(between, 0.0, 1.0))
