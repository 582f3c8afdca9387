"""What `ab` would have said with a budget: its own rounds over recorded launches, by the time that they took.

Decisions, choices and stops are those of `bench.gate.ab.rounds`; only clock and workers are the record's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.gate.ab.launches import Trouble
from bench.gate.ab.live import Results
from bench.gate.ab.noise import MEASURED, Prior
from bench.gate.ab.rounds import Rounds
from bench.gate.ab.schedule import Pace
from bench.gate.ab.tolerances import NO_LIMITS
from bench.gate.ab.verdicts import Judgement
from bench.gate.qualify.suites import Kind, Launch, Qualification, Suite
from bench.gate.verdict import ScenarioVerdict, Verdict, worst

BUDGETS = {"6m": 360.0, "12m": 720.0, "20m": 1200.0, "no limit": math.inf}  # as `ab --budget` takes them


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One suite under one budget."""

    suite: Suite
    judgement: Judgement
    num_launches: int  # placebos among them
    seconds: float  # until everything was decided or the budget spent

    @property
    def ending(self) -> Verdict:
        """Return the verdict that decides how the process ends."""
        groups = (group.verdict for group in self.judgement.groups if group.verdict is Verdict.REGRESSED)
        return worst([*(verdict.verdict for verdict in self.judgement.scenarios), *groups])

    @property
    def scenarios(self) -> Mapping[str, ScenarioVerdict]:
        """Return the verdicts by scenario."""
        return {verdict.scenario: verdict for verdict in self.judgement.scenarios}

    @property
    def num_launches_of(self) -> Mapping[str, int]:
        """Return how many real launches of each scenario were judged."""
        return {verdict.scenario: verdict.num_launches for verdict in self.judgement.scenarios}


class RecordedLaunches:
    """Launches of a suite, at the pace at which they were measured; what is not asked for takes no time."""

    def __init__(self, suite: Suite) -> None:
        self.suite, self._now = suite, suite.setup_s

    def now(self) -> float:
        """Return the seconds since the comparison began."""
        return self._now

    def launch(self, number: int, scenarios: Sequence[str]) -> Results:
        """Return what was measured of scenarios, as soon as it would have been there."""
        recorded = self.suite.launches[number]
        pace = pace_of(recorded)
        self._now += pace.start_s
        for name in scenarios:
            if (measured := recorded.scenarios.get(name)) is None:
                continue
            self._now += pace.scenario_s[name]
            if measured.verdict:
                yield Trouble(scenario=name, verdict=Verdict(measured.verdict), why=measured.why)
            else:
                yield recorded.paired(name)


def pace_of(launch: Launch) -> Pace:
    """Return what a recorded launch's start and scenarios took, as rounds learn it while they measure."""
    return Pace().after({name: one.end_s for name, one in launch.scenarios.items()}, launch.seconds)


def replay(suite: Suite, budget_s: float = math.inf, prior: Prior = MEASURED) -> Outcome:
    """Judge a suite as `ab --budget` would have; without one, by all of its launches as far as they are needed."""
    source = RecordedLaunches(suite)
    rounds = Rounds(
        source,
        NO_LIMITS,
        budget_s=budget_s,
        deadline=budget_s,
        note=_nobody,
        most_launches=len(suite.launches),
        prior=prior,
    )
    judgement = rounds.run(list(suite.launches[0].scenarios))
    return Outcome(suite=suite, judgement=judgement, num_launches=rounds.number, seconds=source.now())


@dataclass(frozen=True, kw_only=True)
class Replays:
    """All whole suites under each budget."""

    qualification: Qualification
    outcomes: Mapping[tuple[str, str], Sequence[Outcome]]  # kind, budget

    def of(self, kind: Kind, budget: str) -> Sequence[Outcome]:
        """Return one kind under one budget."""
        return self.outcomes.get((str(kind), budget), ())


def replays_of(qualification: Qualification, budgets: Mapping[str, float] = BUDGETS) -> Replays:
    """Replay all whole suites."""
    outcomes = {
        (str(kind), name): [replay(suite, budget_s) for suite in qualification.of_kind(kind)]
        for kind in qualification.kinds
        for name, budget_s in budgets.items()
    }
    return Replays(qualification=qualification, outcomes=outcomes)


def _nobody(_text: str) -> None:
    """Tell nobody."""
