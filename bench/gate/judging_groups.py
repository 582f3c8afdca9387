"""From the launches of a run and of a baseline to a verdict on each group of scenarios, by their mean log ratio.

A change of code moves the scenarios of a benchmark alike, and the noise of launches does not: the spread of a mean over
four scenarios is half of one scenario's, that of the suite's a tenth. What disturbs the anchor disturbs everything that
is divided by it, so a group's ratios to the anchor are held to spread as far as one scenario's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from bench.gate.baseline import OpenBaseline
from bench.gate.controls import controls_of, is_counted
from bench.gate.groups import SUITE, group_of, grouped
from bench.gate.judging import attribute, hash_mismatch, is_unfit, judge_control
from bench.gate.readings import launch_values
from bench.gate.stats import shrunken_sd
from bench.gate.tolerance import OF_GROUPS, OF_SUITE, RUN_SHARE, Bar, errors_of, excess_noise, pool_key
from bench.gate.verdict import Change, Control, ScenarioVerdict, worst
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.metrics import METRICS
from bench.harness.record import Scenario

SMALLEST_TOLERANCE = math.log(1.03)  # of a group: between sessions of a day the suite's mean moved by half a percent
SMALLEST_EFFECT = math.log(1.01)


class Pair(NamedTuple):
    """A scenario of the run and its counterpart in the baseline."""

    new: Scenario
    base: Scenario

    def signed(self, scenario: Scenario, control: Control) -> list[float]:
        """Return the launch values of one of the two, above 0 is worse."""
        sign = METRICS[scenario.arms[PRIMARY].metric].sign
        return [sign * value for value in launch_values(scenario, control)]


def groups_of(scenarios: Mapping[str, Scenario], opened: OpenBaseline) -> dict[str, list[str]]:
    """Gather the timed scenarios of a run that the baseline has, by group."""
    return grouped(
        {
            name: group_of(name, scenario.arms[PRIMARY].params)
            for name, scenario in scenarios.items()
            if not is_counted(scenario) and name in opened.record.scenarios  # what is counted has no noise to average
        }
    )


def judge_groups(
    scenarios: Mapping[str, Scenario], opened: OpenBaseline, groups: Iterable[str], *, confirmed: bool = False
) -> dict[str, ScenarioVerdict]:
    """Judge groups of a run by those of their scenarios that are at hand and comparable.

    Args:
        scenarios: launches of this run (fresh ones if `confirmed`), of some or all of its scenarios.
        opened: the baseline, with the run's groups.
        groups: which to judge.
        confirmed: see `judge_control`.

    Returns:
        A verdict for each group of which two scenarios or more are at hand.
    """
    verdicts = {}
    for group in groups:
        members = [name for name in opened.groups[group] if name in scenarios]
        pairs = [Pair(scenarios[name], opened.record.scenarios[name]) for name in members]
        pairs = [pair for pair in pairs if not hash_mismatch(*pair) and not is_unfit(pair.new)]
        if len(pairs) > 1 and (changes := _changes(group, pairs, opened, confirmed=confirmed)):
            verdicts[group] = ScenarioVerdict(
                scenario=group,
                verdict=worst(change.verdict for change in changes),
                where=attribute(changes),
                changes=changes,
                num_launches=min(len(pair.new.launch_ids) for pair in pairs),
            )
    return verdicts


def _changes(group: str, pairs: Sequence[Pair], opened: OpenBaseline, *, confirmed: bool) -> tuple[Change, ...]:
    """Judge each control that all scenarios of a group have on both sides."""
    share, among = (OF_SUITE, 1) if group == SUITE else (OF_GROUPS, max(1, len(opened.groups) - 1))
    num_launches = min(len(pair.base.launch_ids) for pair in pairs)
    bar = Bar(errors_of(share, among, num_launches), SMALLEST_TOLERANCE, SMALLEST_EFFECT)
    common = [c for c in controls_of(pairs[0].new) if all(c in controls_of(s) for pair in pairs for s in pair)]
    then = {control: _means([pair.signed(pair.base, control) for pair in pairs]) for control in common}
    return tuple(
        judge_control(
            _means([pair.signed(pair.new, control) for pair in pairs]),
            then[control],
            control=control,
            sd=_spread(then[control], pairs, control, opened.typical),
            bar=bar,
            sign=1.0,
            confirmed=confirmed,
            noise=fmean(excess_noise(*pair, control) for pair in pairs) / len(pairs),
            unrest=opened.unrest.get(control.kind, 1.0),
        )
        for control in common
        if opened.same_fingerprint or control.against != ANCHOR
    )


def _means(values: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean over scenarios of each launch that all of them have."""
    fewest = min(map(len, values))
    return [fmean(launch) for launch in zip(*(v[:fewest] for v in values), strict=True)]


def _spread(means: Sequence[float], pairs: Sequence[Pair], control: Control, typical: Mapping[str, float]) -> float:
    """Return the standard deviation of a launch's mean: the baseline's own, drawn towards what its scenarios imply."""
    spreads = (shrunken_sd(launch_values(pair.base, control), typical[pool_key(pair.base, control)]) for pair in pairs)
    of_one = fmean(spread**2 for spread in spreads)
    if RUN_SHARE[control.kind] == 1:
        return math.sqrt(of_one)
    return shrunken_sd(means, of_one / len(pairs))
