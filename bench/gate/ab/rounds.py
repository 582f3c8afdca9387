"""Launches one after another within a budget, until every scenario is decided: what is next, and what is left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.live import LaunchSource
from bench.gate.ab.noise import MEASURED, Prior
from bench.gate.ab.schedule import (
    MOST_LAUNCHES,
    Pace,
    affordable,
    covering_order,
    launches_holding,
    launches_to_decide,
    measured_in,
)
from bench.gate.ab.tolerances import Limits
from bench.gate.ab.verdicts import Judgement, decide, is_placebo, settled
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.wording import counted

HOPELESS = (Verdict.FAILED, Verdict.WRONG, Verdict.NEW, Verdict.NOT_COMPARABLE, Verdict.CHANGED)  # each launch alike


class Rounds:
    """The launches of one comparison: how many there were, what they cost, what went wrong."""

    def __init__(
        self,
        source: LaunchSource,
        limits: Mapping[str, Limits],
        *,
        budget_s: float,
        deadline: float,
        note: Callable[[str], None],
        most_launches: int = MOST_LAUNCHES,
        prior: Prior = MEASURED,
    ) -> None:
        self.source, self.limits, self.budget_s, self.deadline = source, limits, budget_s, deadline
        self.note, self.most_launches, self.prior = note, most_launches, prior
        self.launches: list[PairedLaunch] = []
        self.troubles: list[Trouble] = []
        self.number, self.pace = 0, Pace()
        self.judgement = Judgement(scenarios=[], groups=[], evidence=None)

    def run(self, scenarios: Sequence[str]) -> Judgement:
        """Measure until all is decided and has a cause, or the budget is spent; what that did not hold stays open."""
        self.order = order = covering_order(scenarios)
        self.judgement = self._judge()  # of troubles that are known before the first launch
        if not (measured := self._open(order)):
            return self.judgement
        self._launch(measured, stop_at=self.source.now() + self.budget_s / launches_to_decide(noise=self.prior))
        chosen = self._choose(order)
        self._announce(chosen)
        while self.number < self.most_launches:
            if not self._open(chosen):
                left = self._choose([name for name in order if name not in chosen])
                chosen = left or self._of_open_cause(order)
            measured = measured_in(self.number, chosen, self._open(chosen) or self._of_open_cause(chosen))
            if not measured or not self._fits(measured):
                break
            self._launch(measured)
        return self._concluded(order)

    def _choose(self, candidates: Sequence[str]) -> list[str]:
        """Take as many undecided scenarios as the time left can decide, in their order; one at least."""
        undecided = self._open(candidates)
        num_launches = max(1, self._still_needed(undecided))
        left_s = self.deadline - self.source.now()
        return affordable(undecided, self.pace, left_s, num_launches) or undecided[:1]

    def _still_needed(self, names: Sequence[str]) -> int:
        """Return how many launches, placebos among them, should still decide these scenarios."""
        noise = self.judgement.evidence.noise if self.judgement.evidence else None
        real = sum(not is_placebo(number) for number in range(launches_to_decide(noise=noise or self.prior)))
        had = {verdict.scenario: verdict.num_launches for verdict in self.judgement.scenarios}
        return launches_holding(real - min((had.get(name, 0) for name in names), default=0), self.number)

    def _announce(self, chosen: Sequence[str]) -> None:
        """Say after the first launch what the rest will take."""
        if not chosen:
            return
        minutes = self._still_needed(chosen) * self.pace.launch_s(chosen) / 60
        self.note(f"{counted(len(chosen), 'scenario')}, about {minutes:.0f} min to a decision")
        if left := len(self._open(self.order)) - len(chosen):
            self.note(f"the budget does not hold {counted(left, 'scenario')} more: smallest and largest sizes go first")

    def _open(self, names: Sequence[str]) -> list[str]:
        """Leave out what is decided, and what would fail again in each launch."""
        decided = {verdict.scenario for verdict in self.judgement.scenarios} - self.judgement.open_scenarios
        gone = {trouble.scenario for trouble in self.troubles if trouble.verdict in HOPELESS}
        return [name for name in names if name not in decided | gone]

    def _of_open_cause(self, names: Sequence[str]) -> list[str]:
        """Keep what is slower by what more launches may tell: asked for once nothing else is open."""
        return [name for name in names if name in self.judgement.open_causes]

    def _fits(self, names: Sequence[str]) -> bool:
        return self.source.now() + self.pace.launch_s(names) < self.deadline

    def _launch(self, names: Sequence[str], stop_at: float | None = None) -> None:
        """Run one launch, then judge all launches so far; stop it between two scenarios where its time is up."""
        what = "base against itself" if is_placebo(self.number) else "base against head"
        left_s = self.deadline - self.source.now()
        self.note(f"launch {self.number + 1}: {what}, {counted(len(names), 'scenario')}, {left_s:.0f} s left")
        started, marks = self.source.now(), {}
        results = self.source.launch(self.number, names)
        for result in results:
            marks[result.scenario] = self.source.now() - started
            if isinstance(result, Trouble):
                self.troubles.append(result)
            else:
                self.launches.append(replace(result, number=self.number))
            if stop_at is not None and self.source.now() > stop_at and len(marks) < len(names):
                results.close()
                break
        self.number += 1
        self.pace = self.pace.after(marks, self.source.now() - started)
        self.judgement = self._judge()

    def _judge(self) -> Judgement:
        now = decide(self.launches, troubles=self.troubles, limits=self.limits, prior=self.prior)
        return settled(self.judgement, now)

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
