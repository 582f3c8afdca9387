"""Differences between ways of training, over seeds and pictures at once: told apart, equivalent within what, or open.

Every seed of every variant answers the same pictures, so two variants are paired by picture; seeds are not paired (two
variants' accuracies of one seed were not seen to go together).

Shapes: S seeds, P pictures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from bench.gate.stats import Interval

CONFIDENCE = 0.95
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Graded:
    """What the seeds of one variant scored: by seed and picture the sum of points, by picture the questions."""

    sums_SP: Floats
    counts_P: Floats

    @property
    def accuracies(self) -> Floats:
        """Return each seed's mean score of a question, 0 to 1."""
        return np.asarray(self.sums_SP.sum(axis=1) / self.counts_P.sum())


def graded_of(twins: Sequence[Mapping[str, Any]]) -> Graded | None:
    """Return the points of a variant's twins as documents tell them; None unless all tell those of one exam."""
    told = [twin["points"] for twin in twins if "points" in twin]
    if not told or len(told) < len(twins) or any(points["counts"] != told[0]["counts"] for points in told):
        return None
    sums_SP = np.array([points["sums"] for points in told], dtype=float)
    return Graded(sums_SP=sums_SP, counts_P=np.array(told[0]["counts"], dtype=float))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How much more accurate one variant is than another, as a share; its error holds seeds and pictures."""

    difference: float
    error: float
    freedom: float  # degrees of the error's t

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return Student's interval of the difference."""
        half = float(scipy.stats.t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return Interval(self.difference, self.difference - half, self.difference + half)

    @property
    def p_value(self) -> float:
        """Return the two-sided p of no difference."""
        if self.error == 0.0:
            return float(self.difference == 0.0)
        return float(2 * scipy.stats.t.sf(abs(self.difference) / self.error, self.freedom))

    @property
    def excluded(self) -> float:
        """Return the least bound that the difference is equivalent within: two one-sided tests at 5 %.

        Source: Schuirmann 1987; the farther end of the 90 % interval.
        """
        limits = self.interval(2 * CONFIDENCE - 1)
        return max(abs(limits.low), abs(limits.high))


def contrast(one: Graded, other: Graded) -> Contrast:
    """Compare two variants that answered the same questions.

    The variance is that of seeds, each variant's own (Welch 1947), and that of pictures, of the mean over seeds of a
    picture's difference (a ratio's, for pictures have several questions). Both hold the luck of a seed at a picture, so
    the sum is a little too large. Degrees of freedom: Satterthwaite 1946.

    Raises:
        ValueError: The questions differ, or a variant has one seed, or all one picture: it tells nothing of another.
    """
    if not np.array_equal(one.counts_P, other.counts_P):
        raise ValueError(
            f"variants must have answered the same questions, got {one.counts_P.sum():.0f} and "
            f"{other.counts_P.sum():.0f}; score both on the same pictures"
        )
    if len(one.counts_P) < 2:
        raise ValueError(f"variants must have answered about two pictures or more, got {len(one.counts_P)}; ask more")
    if min(len(one.sums_SP), len(other.sums_SP)) < 2:
        raise ValueError(
            f"variants must have two seeds or more, got {len(one.sums_SP)} and {len(other.sums_SP)}; train more"
        )
    difference = float(one.accuracies.mean() - other.accuracies.mean())
    parts = [(_of_seeds(graded), len(graded.sums_SP) - 1) for graded in (one, other)]
    parts.append((_of_pictures(one, other, difference), len(one.counts_P) - 1))
    variance = sum(part for part, _ in parts)
    spent = sum(part**2 / freedom for part, freedom in parts)
    return Contrast(
        difference=difference, error=math.sqrt(variance), freedom=variance**2 / spent if spent else math.inf
    )


def _of_seeds(graded: Graded) -> float:
    return float(np.var(graded.accuracies, ddof=1)) / len(graded.sums_SP)


def _of_pictures(one: Graded, other: Graded, difference: float) -> float:
    """Return the variance of the difference as a ratio of sums over pictures (Cochran 1977, section 2.11)."""
    gains_P = one.sums_SP.mean(axis=0) - other.sums_SP.mean(axis=0)
    residuals_P = gains_P - difference * one.counts_P
    num_pictures = len(gains_P)
    return float(num_pictures * np.var(residuals_P, ddof=1) / one.counts_P.sum() ** 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values that hold over all comparisons together, in their order (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    held, so_far = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        so_far = max(so_far, min(1.0, p_values[index] * (len(order) - rank)))
        held[index] = so_far
    return held
