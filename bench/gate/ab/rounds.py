"""Launches one after another within a budget, until every scenario is decided: what is next, and what is left."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.gate.ab.brief import Brief
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.schedule import (
    MOST_LAUNCHES,
    Pace,
    affordable,
    covering_order,
    launches_to_decide,
    measured_in,
)
from bench.gate.ab.sides import Sides
from bench.gate.ab.tolerances import Limits
from bench.gate.ab.verdicts import Judgement, decide, is_placebo
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.measuring import scenario_of
from bench.harness.wording import counted

HOPELESS = (Verdict.FAILED, Verdict.WRONG, Verdict.NEW, Verdict.NOT_COMPARABLE, Verdict.CHANGED)  # each launch alike
SCENARIO_BUDGET_S = 0.8  # clock time of one scenario's blocks in one launch, both sides together


class Rounds:
    """The launches of one comparison: how many there were, what they cost, what went wrong."""

    def __init__(
        self,
        brief: Brief,
        sides: Sides,
        limits: Mapping[str, Limits],
        *,
        deadline: float,
        note: Callable[[str], None],
    ) -> None:
        self.brief, self.sides, self.limits, self.deadline, self.note = brief, sides, limits, deadline, note
        self.launches: list[PairedLaunch] = []
        self.troubles: list[Trouble] = []
        self.number, self.pace = 0, Pace()
        self.judgement = Judgement(scenarios=[], groups=[], evidence=None)

    def run(self, node_ids: Sequence[str]) -> Judgement:
        """Measure until everything is decided or the budget is spent; what it could not hold is INCONCLUSIVE."""
        self.by_scenario = {scenario_of(node_id): node_id for node_id in node_ids}
        order = covering_order(list(self.by_scenario))
        self._launch(order, stop_at=time.monotonic() + self.brief.budget_s / launches_to_decide())
        chosen = self._choose(order)
        self._announce(chosen)
        while self.number < MOST_LAUNCHES:
            if not self._open(chosen):
                chosen = self._choose([name for name in order if name not in chosen])
            measured = measured_in(self.number, chosen, self._open(chosen))
            if not measured or not self._fits(measured):
                break
            self._launch(measured)
        return self._concluded(order)

    def _choose(self, candidates: Sequence[str]) -> list[str]:
        """Take as many undecided scenarios as the time left can decide, in their order; one at least."""
        undecided = self._open(candidates)
        num_launches = max(1, self._still_needed(undecided))
        left_s = self.deadline - time.monotonic()
        return affordable(undecided, self.pace, left_s, num_launches) or undecided[:1]

    def _still_needed(self, names: Sequence[str]) -> int:
        """Return how many launches should still decide these scenarios."""
        noise = self.judgement.evidence.noise if self.judgement.evidence else None
        needed = launches_to_decide() if noise is None else launches_to_decide(noise=noise)
        had = {verdict.scenario: verdict.num_launches for verdict in self.judgement.scenarios}
        return needed - min((had.get(name, 0) for name in names), default=0)

    def _announce(self, chosen: Sequence[str]) -> None:
        """Say after the first launch what the rest will take."""
        if not chosen:
            return
        minutes = self._still_needed(chosen) * self.pace.launch_s(chosen) / 60
        self.note(f"{counted(len(chosen), 'scenario')}, about {minutes:.0f} min to a decision")
        if left := len(self._open(list(self.by_scenario))) - len(chosen):
            self.note(f"the budget does not hold {counted(left, 'scenario')} more: smallest and largest sizes go first")

    def _open(self, names: Sequence[str]) -> list[str]:
        """Leave out what is decided, and what would fail again in each launch."""
        decided = {verdict.scenario for verdict in self.judgement.scenarios} - self.judgement.open_scenarios
        gone = {trouble.scenario for trouble in self.troubles if trouble.verdict in HOPELESS}
        return [name for name in names if name not in decided | gone]

    def _fits(self, names: Sequence[str]) -> bool:
        return time.monotonic() + self.pace.launch_s(names) < self.deadline

    def _launch(self, names: Sequence[str], stop_at: float | None = None) -> None:
        """Run one launch, then judge all launches so far; stop it between two scenarios where its time is up."""
        placebo = is_placebo(self.number)
        what = "base against itself" if placebo else "base against head"
        left_s = self.deadline - time.monotonic()
        self.note(f"launch {self.number + 1}: {what}, {counted(len(names), 'scenario')}, {left_s:.0f} s left")
        started, marks = time.monotonic(), {}
        results = run_launch(self._terms(placebo=placebo), [self.by_scenario[name] for name in names])
        for result in results:
            marks[result.scenario] = time.monotonic() - started
            if isinstance(result, Trouble):
                self.troubles.append(result)
            else:
                self.launches.append(replace(result, number=self.number))
            if stop_at is not None and time.monotonic() > stop_at and len(marks) < len(names):
                results.close()  # type: ignore[attr-defined]  # a generator
                break
        self.number += 1
        self.pace = self.pace.after(marks, time.monotonic() - started)
        self.judgement = decide(self.launches, troubles=self.troubles, limits=self.limits)

    def _terms(self, *, placebo: bool) -> LaunchTerms:
        return LaunchTerms(
            project=self.sides.project,
            base=self.sides.base,
            head=self.sides.placebo if placebo else self.sides.head,
            number=self.number,
            seed=self.brief.seed,
            budget_s=SCENARIO_BUDGET_S,
            is_placebo=placebo,
            accepts_answers=bool(self.brief.accept_answers),
        )

    def _concluded(self, order: Sequence[str]) -> Judgement:
        """Add what was never measured, and say of everything undecided how much time it lacked."""
        undecided = self._open(order)
        minutes = self._lacking_s(undecided) / 60
        lacking = f"about {minutes:.0f} min more would decide; raise --budget or name fewer --scenarios"
        said = {verdict.scenario: verdict for verdict in self.judgement.scenarios}
        for name in undecided:
            found = said.get(name) or ScenarioVerdict(scenario=name, verdict=Verdict.INCONCLUSIVE, num_launches=0)
            if found.verdict is Verdict.INCONCLUSIVE:
                said[name] = replace(found, why=lacking)
        return replace(self.judgement, scenarios=list(said.values()))

    def _lacking_s(self, undecided: Sequence[str]) -> float:
        """Return how many more seconds the undecided scenarios should take."""
        return max(1, self._still_needed(undecided)) * self.pace.launch_s(undecided)
