"""Tests of rounds of launches: what is decided stays decided, whatever the last open scenario does."""

from collections.abc import Sequence

import numpy as np

from bench.gate.ab.live import Results
from bench.gate.ab.rounds import Rounds
from bench.gate.ab.tolerances import NO_LIMITS
from bench.gate.verdict import Verdict
from tests.bench.gate.ab.suites import changed, effects, launches_of, names_of

NUM_SCENARIOS, MOST_LAUNCHES = 12, 24


class Drawn:
    """Launches that were drawn beforehand, one a second."""

    def __init__(self, values_LSA: np.ndarray) -> None:
        self.launches = launches_of(values_LSA)
        self.measured: list[Sequence[str]] = []

    def now(self) -> float:
        return float(len(self.measured))

    def launch(self, number: int, scenarios: Sequence[str]) -> Results:
        self.measured.append(scenarios)
        yield from (one for one in self.launches if one.number == number and one.scenario in scenarios)


def test_a_scenario_that_is_never_decided_takes_nothing_from_the_others() -> None:
    """Its dense arm jumps by a tenth from process to process, and it is measured alone once the others are decided."""
    values = 0.01 * np.random.default_rng(3).normal(size=(MOST_LAUNCHES, NUM_SCENARIOS, 2))
    values[:, 0, 1] = 0.12 * np.where(np.arange(MOST_LAUNCHES) % 3, 1, -1)
    source = Drawn(values)
    rounds = Rounds(source, NO_LIMITS, budget_s=1e6, deadline=1e6, note=str, most_launches=MOST_LAUNCHES)
    found = rounds.run(names_of(NUM_SCENARIOS))
    assert {one.scenario for one in found.scenarios if one.verdict is Verdict.OK} == set(names_of(NUM_SCENARIOS)[1:])
    assert len(source.measured) == MOST_LAUNCHES
    assert sum(len(names) == 1 for names in source.measured) > 5


def test_what_is_slower_is_measured_until_its_cause_is_known() -> None:
    """The MoE's third is found after two launches, alone in its suite; that the dense twin moved as well, later."""
    values = 0.05 * np.random.default_rng(5).normal(size=(MOST_LAUNCHES, 1, 2))
    head = changed(values, effects(1, {(0, "moe"): 33, (0, "dense"): 11}))
    rounds = Rounds(Drawn(head), NO_LIMITS, budget_s=1e6, deadline=1e6, note=str, most_launches=MOST_LAUNCHES)
    found = rounds.run(names_of(1)).scenarios[0]
    assert (found.verdict, found.where, found.why) == (Verdict.REGRESSED, "shared code", "")
