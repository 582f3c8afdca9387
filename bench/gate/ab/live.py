"""Where launches come from: workers that measure now; `bench.gate.qualify` puts recorded ones in their place."""

import time
from collections.abc import Generator, Sequence
from typing import Protocol

from bench.gate.ab.brief import Brief
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.sides import Sides
from bench.gate.ab.verdicts import is_placebo
from bench.harness.measuring import scenario_of

SCENARIO_BUDGET_S = 0.5  # clock time of one scenario's blocks in one launch, both sides together
MIN_BLOCKS = 10  # of a scenario whose blocks are long: fewer spread more from launch to launch than processes do

Results = Generator[PairedLaunch | Trouble, None, None]


class LaunchSource(Protocol):
    """What rounds of launches are made of."""

    def now(self) -> float:
        """Return the clock's seconds."""

    def launch(self, number: int, scenarios: Sequence[str]) -> Results:
        """Measure scenarios in the launch of this number; each result comes as soon as it is there."""


class LiveLaunches:
    """Launches of both sides' workers, on this machine, now."""

    def __init__(self, brief: Brief, sides: Sides, node_ids: Sequence[str], known: Known) -> None:
        self.brief, self.sides, self.known = brief, sides, known
        self.by_scenario = {scenario_of(node_id): node_id for node_id in node_ids}

    def now(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    def launch(self, number: int, scenarios: Sequence[str]) -> Results:
        """Measure scenarios in lock-step; a placebo's head is base."""
        placebo = is_placebo(number)
        terms = LaunchTerms(
            project=self.sides.project,
            base=self.sides.base,
            head=self.sides.placebo if placebo else self.sides.head,
            number=number,
            known=self.known,
            seed=self.brief.seed,
            budget_s=SCENARIO_BUDGET_S,
            min_blocks=MIN_BLOCKS,
            is_placebo=placebo,
            accepts_answers=bool(self.brief.accept_answers),
        )
        yield from run_launch(terms, [self.by_scenario[name] for name in scenarios])
