"""Launches as arrays: how far each arm of head lies from base's, launch by launch. Above 0 is worse.

L: launches in the order of measurement. S: scenarios. A: judged arms. Not measured is NaN.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.gate.ab.changes import is_judged, launch_changes
from bench.gate.ab.launches import PairedLaunch
from bench.gate.groups import group_of
from bench.gate.verdict import Control

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CLIP = 2.5  # spreads beyond which a value counts as that far


@dataclass(frozen=True, kw_only=True)
class Panel:
    """All timed launches of a suite: natural logarithms of head / base."""

    scenarios: Sequence[str]
    arms: Sequence[str]
    values_LSA: Floats
    is_placebo_L: Flags  # base stood in both slots
    group_of_S: Sequence[str]


def panel_of(launches: Iterable[PairedLaunch]) -> Panel:
    """Arrange the timed ones of some launches by the number of their launch, scenario and judged arm."""
    timed = [launch for launch in launches if not launch.counted]
    found = {(one.number, one.scenario): _judged(one) for one in timed}
    numbers = sorted({number for number, _ in found})
    groups = {one.scenario: group_of(one.scenario, one.params) for one in timed}
    scenarios, arms = list(groups), list(dict.fromkeys(arm for values in found.values() for arm in values))
    values_LSA = np.full((len(numbers), len(scenarios), len(arms)), np.nan)
    for (number, scenario), values in found.items():
        for arm, value in values.items():
            values_LSA[numbers.index(number), scenarios.index(scenario), arms.index(arm)] = value
    placebos = {one.number for one in timed if one.is_placebo}
    return Panel(
        scenarios=scenarios,
        arms=arms,
        values_LSA=values_LSA,
        is_placebo_L=np.array([number in placebos for number in numbers], dtype=bool),
        group_of_S=[groups[name] for name in scenarios],
    )


def counts(values_LSA: Floats) -> Floats:
    """Count the launches in which each scenario and arm was measured."""
    return np.asarray(np.sum(~np.isnan(values_LSA), axis=0), dtype=float)


def mean_of(values_LSA: Floats) -> Floats:
    """Return the mean over the launches in which something was measured; 0 where nothing was."""
    return np.asarray(np.nansum(values_LSA, axis=0) / np.maximum(counts(values_LSA), 1))


def median_of(values: Floats) -> Floats:
    """Return the median over the last axis of what was measured; 0 where nothing was.

    >>> median_of(np.array([[3.0, np.nan, 1.0], [np.nan, np.nan, np.nan]])).tolist()
    [2.0, 0.0]
    """
    if not values.shape[-1]:
        return np.zeros(values.shape[:-1])
    ranked = np.sort(values, axis=-1)  # NaN last; numpy's nanmedian takes 20 times as long for so few
    count = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    low, high = (np.take_along_axis(ranked, place, -1) for place in (np.maximum(count - 1, 0) // 2, count // 2))
    return np.asarray(np.where(count > 0, (low + high) / 2, 0.0)[..., 0])


def _judged(launch: PairedLaunch) -> dict[str, float]:
    changes: dict[Control, float] = launch_changes(launch)
    return {control.arm: value for control, value in changes.items() if is_judged(control)}
