"""What suites come to: shares with exact intervals, and how far launches of unchanged code lie apart."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from bench.gate.ab.verdicts import decide
from bench.gate.qualify.suites import Qualification, Suite
from bench.gate.stats import Interval
from bench.gate.verdict import ScenarioVerdict, Verdict, exit_code
from bench.harness.arms import PRIMARY


class Share(NamedTuple):
    """So many of so many."""

    hits: int
    of: int

    def interval(self) -> Interval:
        """Return the share with its exact 95 % limits (Clopper & Pearson 1934); all of 0..1 where there is nothing.

        >>> Share(0, 40).interval().high < 0.09
        True
        """
        if self.of == 0:
            return Interval(math.nan, 0.0, 1.0)
        low, high = scipy_stats.binomtest(self.hits, self.of).proportion_ci(0.95, method="exact")
        return Interval(self.hits / self.of, float(low), float(high))


def false_alarms(suites: Sequence[Suite]) -> Share:
    """Count the suites of unchanged code in which a scenario is REGRESSED."""
    return suites_where(suites, lambda suite: bool(suite.scenarios_with(Verdict.REGRESSED)))


def green(suites: Sequence[Suite]) -> Share:
    """Count the suites that end 0."""
    return suites_where(suites, lambda suite: exit_code(_verdicts(suite)) == 0)


def _verdicts(suite: Suite) -> list[ScenarioVerdict]:
    return [ScenarioVerdict(scenario=name, verdict=Verdict(said)) for name, said in suite.verdicts.items()]


def suites_where(suites: Sequence[Suite], holds: Callable[[Suite], bool]) -> Share:
    """Count the suites for which something holds."""
    return Share(sum(map(holds, suites)), len(suites))


def ended_as(suites: Sequence[Suite], *verdicts: Verdict) -> Share:
    """Count scenarios, over all suites, that ended with one of these verdicts."""
    return scenarios_where(suites, lambda suite: sum(len(suite.scenarios_with(verdict)) for verdict in verdicts))


def scenarios_where(suites: Sequence[Suite], count: Callable[[Suite], int]) -> Share:
    """Count scenarios, over all suites."""
    return Share(sum(map(count, suites)), sum(len(suite.verdicts) for suite in suites))


def attributed(suites: Sequence[Suite], where: str) -> Share:
    """Count, of the scenarios that are REGRESSED, those put down to the right code."""
    found = [suite.where.get(name) for suite in suites for name in suite.scenarios_with(Verdict.REGRESSED)]
    return Share(sum(place == where for place in found), len(found))


def flagged_suites(suites: Sequence[Suite], rule: str) -> Share:
    """Count the suites in which another rule calls a scenario slower."""
    return suites_where(suites, lambda suite: bool(suite.flagged.get(rule)))


def flagged_scenarios(suites: Sequence[Suite], rule: str) -> Share:
    """Count the scenarios, over all suites, that another rule calls slower."""
    return scenarios_where(suites, lambda suite: len(suite.flagged.get(rule, ())))


def num_launches(suites: Sequence[Suite]) -> float:
    """Return the launches of a scenario in a suite, placebos left out, averaged."""
    real = sum(not launch.is_placebo for suite in suites for launch in (*suite.stage_1, *suite.stage_2))
    return real / max(1, sum(len(suite.verdicts) for suite in suites))


class Spread(NamedTuple):
    """How exactly a scenario can be measured on this machine."""

    scenario: str
    launch_sd: float  # of the MoE's log ratio of unchanged head and base, over launches
    num_launches: int
    detectable: float  # log ratio; median over suites of the smallest change that the judged launches could have shown


def spreads(qualification: Qualification) -> list[Spread]:
    """Return each scenario's spread over the first stages of all suites of unchanged code."""
    unchanged = qualification.with_injected({})
    ratios: dict[str, list[float]] = {}
    for launch in (launch for suite in unchanged for launch in suite.stage_1 if PRIMARY in launch.arms):
        ratios.setdefault(launch.scenario, []).append(launch.arms[PRIMARY])
    detectable = _detectable(unchanged)
    return [
        Spread(name, float(np.std(values, ddof=1)), len(values), float(np.median(detectable[name])))
        for name, values in ratios.items()
        if len(values) > 1 and detectable.get(name)
    ]


def _detectable(suites: Iterable[Suite]) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {}
    for suite in suites:
        first, fresh = ([launch.launch() for launch in stage] for stage in (suite.stage_1, suite.stage_2))
        for verdict in decide(first, fresh):
            seen = [c.tolerance for c in verdict.changes if c.control.arm == PRIMARY and c.control.against == "base"]
            found.setdefault(verdict.scenario, []).extend(filter(math.isfinite, seen))
    return found
