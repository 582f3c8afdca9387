"""How far launches of unchanged code lie apart on this machine, and what the gate may take for granted because of it.

L: launches, S: scenarios, A: arms. Head is base in all of them, so that placebos are like any other launch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.noise import MEASURED, Prior, noise_of
from bench.gate.ab.panel import Floats, Panel, panel_of
from bench.gate.groups import grouped
from bench.gate.qualify.store import read_qualification
from bench.gate.qualify.suites import SAME_MACHINE, UNCHANGED, Qualification, Suite

ALONE = replace(MEASURED, spread_worth=1e-9, state_worth=1e-9)  # the suite's own launches say everything


class ScenarioSpread(NamedTuple):
    """One scenario and arm."""

    scenario: str
    arm: str
    sd: float  # of the log ratio of unchanged head and base, over launches, within a suite
    alone_sd: float  # less what a launch did to all scenarios alike
    num_launches: int


def scenario_spreads(qualification: Qualification) -> list[ScenarioSpread]:
    """Return the spread of each scenario and arm over all suites of unchanged code."""
    values: dict[tuple[str, str], list[tuple[Floats, Floats]]] = {}
    for panel in _panels(qualification):
        alone_LSA = _alone(panel)
        for s, scenario in enumerate(panel.scenarios):
            for a, arm in enumerate(panel.arms):
                both = panel.values_LSA[:, s, a], alone_LSA[:, s, a]
                values.setdefault((scenario, arm), []).append(both)
    return [
        ScenarioSpread(
            *key,
            sd=_within_sd([value for value, _ in found]),
            alone_sd=_within_sd([alone for _, alone in found]),
            num_launches=sum(int(np.sum(~np.isnan(value))) for value, _ in found),
        )
        for key, found in values.items()
    ]


def prior_of(qualification: Qualification) -> Prior:
    """Return what this machine's history lets the gate take for granted; what is usual where there is none.

    Spreads are root mean squares over suites: a loaded hour counts as much as a quiet one.
    """
    panels = _panels(qualification)
    if not panels:
        return MEASURED
    noises = [noise_of(panel, ALONE) for panel in panels]
    return replace(
        MEASURED,
        spread=_root_mean_square([noise.spread for noise in noises]),
        state=_root_mean_square([noise.state_sd for noise in noises]),
        own_state=_root_mean_square([_own_state(panel) for panel in panels]),
    )


def prior_here(path: Path, machine: Mapping[str, Any]) -> Prior:
    """Return the prior of a record that was measured on this machine with this software, else what is usual.

    Raises:
        CorruptRecord: if the file is no such record.
    """
    if not path.is_file():
        return MEASURED
    found = read_qualification(path)
    is_this = all(found.machine.get(field) == machine.get(field) for field in SAME_MACHINE)
    return prior_of(found) if is_this else MEASURED


def _panels(qualification: Qualification) -> list[Panel]:
    """Return the suites of unchanged code that can spread."""
    suites = [suite for suite in qualification.of_kind(UNCHANGED) if len(suite.launches) > 1]
    return [panel_of(_paired(suite)) for suite in suites]


def _paired(suite: Suite) -> list[PairedLaunch]:
    return [launch.paired(name) for launch in suite.launches for name, one in launch.scenarios.items() if one.arms]


def _alone(panel: Panel) -> Floats:
    """Return the values less each launch's state."""
    return np.asarray(panel.values_LSA - noise_of(panel, ALONE).state_LS[:, :, None])


def _own_state(panel: Panel) -> float:
    """Return what launches do to one arm of a group, beyond the state and its scenarios' own noise.

    Source: variance components of a one-way layout: the variance of a mean of n values is that of what they share and
    1/n of their own.
    """
    alone_LSA, num_launches, excess = _alone(panel), len(panel.values_LSA), []
    for names in grouped(dict(zip(panel.scenarios, panel.group_of_S, strict=True))).values():
        members_LSA = alone_LSA[:, [panel.scenarios.index(name) for name in names], :]
        members_LSA = members_LSA - np.nanmean(members_LSA, axis=0)
        mean_LA = np.nanmean(members_LSA, axis=1)
        within_A = np.nanvar(members_LSA - mean_LA[:, None], axis=(0, 1)) / (len(names) - 1)
        excess.append(float(np.mean(mean_LA.var(axis=0) - within_A)) * num_launches / (num_launches - 1))
    return math.sqrt(max(0.0, float(np.mean(excess)))) if excess else 0.0


def _within_sd(suites: Sequence[Floats]) -> float:
    """Return the standard deviation within suites, pooled."""
    kept = [values[~np.isnan(values)] for values in suites]
    squares, degrees = sum(float(np.var(v)) * len(v) for v in kept if len(v)), sum(len(v) - 1 for v in kept if len(v))
    return math.sqrt(squares / degrees) if degrees else math.nan


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values))))
