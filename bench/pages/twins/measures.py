"""What is compared between trained twins: means over seeds with Student's intervals, and differences seed by seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.gate.stats import Interval, mean_interval
from bench.pages.twins.documents import Setting, Twin

REFERENCE = "plain"  # the MoE that the variants of SMoES are compared with

Floats = np.ndarray[Any, np.dtype[np.float64]]


def routed(setting: Setting) -> dict[str, Sequence[Twin]]:
    """Return the variants of a setting that are MoEs."""
    return {variant: twins for variant, twins in setting.variants.items() if "routing" in twins[0]}


def by_layer(twins: Sequence[Twin], measure: str) -> Floats:
    """Return a measure of the routing as an array (seeds, layers); empty for dense twins."""
    return np.array([twin["routing"][measure] for twin in twins if "routing" in twin])


def by_seed(twins: Sequence[Twin], measure: str) -> dict[int, float]:
    """Return the mean over layers of a measure of the routing, for each seed."""
    return {twin["seed"]: float(np.mean(twin["routing"][measure])) for twin in twins}


def mean_of(twins: Sequence[Twin], measure: str) -> Interval:
    """Return the mean over layers and seeds of a measure of the routing."""
    return mean_interval(list(by_seed(twins, measure).values()))


def mean_share(values: Sequence[float]) -> Interval:
    """Return the mean of shares with its interval, which ends at 0 and 1; one value has no interval.

    >>> mean_share([0.9, 1.0]).high, mean_share([0.9]).high
    (1.0, inf)
    """
    mean = mean_interval(values)
    return Interval(mean.estimate, max(mean.low, 0.0), min(mean.high, 1.0)) if len(values) > 1 else mean


def minus_reference(setting: Setting, variant: str) -> Interval | None:
    """Return how much greater MSI is than the reference's, over twins of one seed: same data in the same order.

    Returns:
        None for the reference itself, and where no seed is in common; without bounds where one is.
    """
    base = by_seed(setting.variants.get(REFERENCE, ()), "msi")
    found = by_seed(setting.variants[variant], "msi")
    differences = [msi - base[seed] for seed, msi in found.items() if seed in base]
    return mean_interval(differences) if differences and variant != REFERENCE else None


def deepening(twins: Sequence[Twin]) -> float:
    """Return how much greater MSI is in the last layer than in the first, the mean over seeds."""
    msi = by_layer(twins, "msi").mean(axis=0)
    return float(msi[-1] - msi[0])


def accuracies(twins: Sequence[Twin], group: str) -> list[float]:
    """Return the score of each twin over a group of questions, those that have it."""
    return [twin["accuracy"][group]["estimate"] for twin in twins if group in twin["accuracy"]]
