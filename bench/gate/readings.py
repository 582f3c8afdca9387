"""What launches say of a control, a number each: computed once, and for all scenarios of a record in one go.

On ten blocks numpy's calls cost more than its work, so launches of equally many blocks are laid below one another.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from bench.gate.controls import controls_of
from bench.gate.stats import Floats, centre_variances, pseudo_medians
from bench.gate.verdict import Control
from bench.harness.record import Launch, Scenario


class Reading(NamedTuple):
    """One control of one scenario, by launch."""

    values: list[float]  # pseudo-median over the blocks of the control's log ratio
    variances: list[float]  # of that centre, as the launch's own blocks tell it


Pair = tuple[Launch, Launch | None]  # numerator and denominator of a launch; what is counted has no denominator

_KNOWN: WeakKeyDictionary[Scenario, dict[Control, Reading]] = WeakKeyDictionary()  # a scenario's samples never change


def reading_of(scenario: Scenario, control: Control) -> Reading:
    """Return what a scenario's launches say of a control."""
    if control not in _KNOWN.get(scenario, ()):
        _read([(scenario, control)])
    return _KNOWN[scenario][control]


def read_all(scenarios: Iterable[Scenario]) -> None:
    """Have the readings of all controls of these scenarios ready, as if each had been asked for."""
    wanted = ((scenario, control) for scenario in scenarios for control in controls_of(scenario))
    _read([(scenario, control) for scenario, control in wanted if control not in _KNOWN.get(scenario, ())])


def launch_values(scenario: Scenario, control: Control) -> list[float]:
    """Return one number a launch: the pseudo-median over its blocks of the control's log ratio."""
    return reading_of(scenario, control).values


def _read(wanted: Sequence[tuple[Scenario, Control]]) -> None:
    pairs = [_pairs(scenario, control) for scenario, control in wanted]
    said = iter(zip(*_centres([pair for launches in pairs for pair in launches]), strict=True))
    for (scenario, control), launches in zip(wanted, pairs, strict=True):
        values, variances = zip(*(next(said) for _ in launches), strict=True)
        _KNOWN.setdefault(scenario, {})[control] = Reading(list(values), list(variances))


def _pairs(scenario: Scenario, control: Control) -> list[Pair]:
    above = scenario.arms[control.arm].launches
    below = [None] * len(above) if control.against is None else scenario.arms[control.against].launches
    return list(zip(above, below, strict=True))


def _centres(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Return centre and its variance of each pair's log ratios."""
    places: dict[int, list[int]] = {}
    for place, (above, _) in enumerate(pairs):
        places.setdefault(len(above.samples), []).append(place)
    values, variances = np.empty(len(pairs)), np.empty(len(pairs))
    for of_one_length in places.values():
        logs = _log_ratios([pairs[place] for place in of_one_length])
        values[of_one_length], variances[of_one_length] = pseudo_medians(logs), centre_variances(logs)
    return values.tolist(), variances.tolist()


def _log_ratios(pairs: Sequence[Pair]) -> Floats:
    """Return the log ratios of launches of equally many blocks, (launches, blocks)."""
    above = np.array([numerator.samples for numerator, _ in pairs])
    ones = (1.0,) * above.shape[1]
    ratios: Floats = np.log(
        above / np.array([denominator.samples if denominator else ones for _, denominator in pairs])
    )
    return ratios
