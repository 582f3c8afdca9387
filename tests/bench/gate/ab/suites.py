"""Suites of launches of plain numbers: noise by family, changes by scenario and arm, as panels and as launches."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.panel import Panel
from bench.gate.ab.verdicts import is_placebo
from bench.gate.groups import group_of_id

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int, int]], Floats]  # launches, scenarios, arms
ARMS = ("moe", "dense")
SCALES = 4  # as many groups


def _sticky(rng: np.random.Generator, shape: tuple[int, ...], stays: float) -> Floats:
    """Return states of +1 and -1 that change with a launch but rarely."""
    flips = np.where(rng.random(shape) < 1 - stays, -1.0, 1.0)
    return np.asarray(np.cumprod(flips, axis=0) * rng.choice([-1.0, 1.0], (1, *shape[1:])))


def _autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> Floats:
    found = rng.normal(size=shape)
    for launch in range(1, shape[0]):
        found[launch] = rho * found[launch - 1] + math.sqrt(1 - rho**2) * found[launch]
    return found


def _shared(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    return shape[0], 1, 1


FAMILIES: dict[str, Draw] = {  # of standard deviation 1, but for what is added in percent of a launch sd of 2 %
    "normal": lambda rng, shape: rng.normal(size=shape),
    "Student 3": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
    "Student 2.5": lambda rng, shape: rng.standard_t(2.5, shape) / math.sqrt(5),
    "one launch in ten disturbed by 10 %": lambda rng, shape: (
        rng.normal(size=shape) + np.where(rng.random(_shared(shape)) < 0.1, 5.0, 0.0)
    ),
    "one value in ten disturbed by 10 %": lambda rng, shape: (
        rng.normal(size=shape) + np.where(rng.random(shape) < 0.1, 5.0, 0.0)
    ),
    "half of it shared by a launch": lambda rng, shape: (
        (rng.normal(size=shape) + rng.normal(size=_shared(shape))) / math.sqrt(2)
    ),
    "sticky states of 6 % either way": lambda rng, shape: (
        rng.normal(size=shape) + 3 * _sticky(rng, _shared(shape), 0.8)
    ),
    "sticky states of 6 % in each scenario": lambda rng, shape: (
        rng.normal(size=shape) + 3 * _sticky(rng, (shape[0], shape[1], 1), 0.8)
    ),
    "launches resemble the last by 0.5": lambda rng, shape: _autoregressive(rng, shape, 0.5),
    "launches resemble the last by 0.8": lambda rng, shape: _autoregressive(rng, shape, 0.8),
    "states resemble the last by 0.8": lambda rng, shape: (
        (rng.normal(size=shape) + _autoregressive(rng, _shared(shape), 0.8)) / math.sqrt(2)
    ),
    "head's slot favours base by 1 %": lambda rng, shape: rng.normal(size=shape) + 0.5,
    "one arm in eight a sixth slower in half of the processes": lambda rng, shape: (
        rng.normal(size=shape)
        + np.where(rng.random((1, *shape[1:])) < 1 / 8, 8.5 * np.subtract(*rng.integers(0, 2, (2, *shape))), 0.0)
    ),
    "a slot bias of up to 1 % in each scenario": lambda rng, shape: (
        rng.normal(size=shape) + 0.5 * rng.random((1, *shape[1:]))
    ),
}


def names_of(num_scenarios: int) -> list[str]:
    """Name scenarios of as many groups as there are SCALES."""
    return [f"bench_x[s{i * SCALES // num_scenarios}-{i}]" for i in range(num_scenarios)]


def panel(values_LSA: Floats, arms: Sequence[str] = ARMS) -> Panel:
    """Return a suite whose launches have these log ratios; placebos stand where `ab` has them."""
    names = names_of(values_LSA.shape[1])
    return Panel(
        scenarios=names,
        arms=arms,
        values_LSA=values_LSA,
        is_placebo_L=placebos(len(values_LSA)),
        group_of_S=[group_of_id(name) for name in names],
    )


def placebos(num_launches: int) -> NDArray[np.bool_]:
    """Tell which of so many launches have base on both sides."""
    return np.array([is_placebo(number) for number in range(num_launches)])


def changed(values_LSA: Floats, change_SA: Floats | float) -> Floats:
    """Return the launches of a head that is slower by these log ratios; placebos stay."""
    return values_LSA + np.where(placebos(len(values_LSA))[:, None, None], 0.0, change_SA)


def launches_of(
    values_LSA: Floats, *, arms: Sequence[str] = ARMS, sign: float = 1.0, names: Sequence[str] = ()
) -> list[PairedLaunch]:
    """Return the same as launches of one block each, NaN left out."""
    return [
        PairedLaunch(
            scenario=name,
            arms={
                arm: ([1.0], [math.exp(sign * value)])
                for arm, value in zip(arms, values_LSA[number, place], strict=True)
                if not math.isnan(value)
            },
            is_placebo=is_placebo(number),
            number=number,
            sign=sign,
            counted=False,
        )
        for number in range(len(values_LSA))
        for place, name in enumerate(names or names_of(values_LSA.shape[1]))
        if not np.all(np.isnan(values_LSA[number, place]))
    ]


def effects(num_scenarios: int, percent: Mapping[tuple[int | None, str], float]) -> Floats:
    """Return changes by scenario and arm, given in percent by (place or None for all, arm)."""
    found = np.zeros((num_scenarios, len(ARMS)))
    for (place, arm), value in percent.items():
        found[slice(None) if place is None else place, ARMS.index(arm)] += math.log1p(value / 100)
    return found
