"""How far an estimate must lie from nothing before anything is claimed, however often one has looked at it.

Two conditions, for noise has two shapes. The boundary bounds a mean of normal launches at all looks together. The guard
asks nearly all launches to lie beyond what heavy tails throw them, which a few disturbed ones cannot imitate.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

Floats = NDArray[np.float64]

TAIL = stats.t(2.5)  # the heaviest tail that launches were seen with
TAIL_SCALE = 0.55  # of TAIL, whose robust spread (`noise.robust_spread`) is then 1
EXCEPTIONS = 4  # of so many launches one may lie on the other side


def boundary(information: Floats | float, error: float, prior: float) -> Floats:
    """Return the largest distance of a mean from its centre, in standard deviations of one launch.

    Args:
        information: launches that the mean is worth: n of n launches, n m / (n + m) of a difference of two means.
        error: chance that the mean is ever farther on one side, over all looks.
        prior: launches at which the boundary is tightest; what is to be found early has a small one.

    Returns:
        Of each information; infinite where there is none.

    Source: Robbins 1970, the normal mixture; Howard et al. 2021, Time-uniform, nonparametric, nonasymptotic confidence
    sequences, equation 14, one-sided by the union of both sides.

    >>> float(boundary(4.0, 0.05, 3.0).round(3))
    1.73
    """
    n = np.asarray(information, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt((n + prior) * (2 * math.log(1 / error) + np.log1p(n / prior))) / n)


@functools.lru_cache(maxsize=4096)
def guard(num_launches: int, error: float) -> float:
    """Return how far launches must lie beyond the margin, in standard deviations, all but `num_exceptions` of them.

    Noise of either shape, normal or TAIL, lets so many launches lie there with at most this chance.
    """
    needed = num_launches - num_exceptions(num_launches)
    each = float(brentq(lambda p: float(stats.binom.sf(needed - 1, num_launches, p)) - error, 1e-12, 1 - 1e-12))
    return max(float(stats.norm.isf(each)), TAIL_SCALE * float(TAIL.isf(each)))


def num_exceptions(num_launches: int) -> int:
    """Return how many launches may lie elsewhere.

    >>> [num_exceptions(n) for n in (2, 3, 4, 9)]
    [0, 0, 1, 2]
    """
    return num_launches // EXCEPTIONS
