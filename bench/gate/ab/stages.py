"""Launches in two stages within a budget: all scenarios a few times, then suspects until they are clear."""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.gate.ab.brief import Brief
from bench.gate.ab.endings import BASE, HEAD
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.profile import ScenarioProfile, profile_regressed
from bench.gate.ab.tolerances import Limits
from bench.gate.ab.verdicts import (
    PLACEBO_EVERY,
    STAGE_1_LAUNCHES,
    STAGE_2_LAUNCHES,
    STAGE_2_LOOK,
    cleared,
    is_placebo,
    suspects,
)
from bench.gate.ab.worker_process import Project, Side, pin_device
from bench.gate.ab.worktree import SourceTree
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.measuring import scenario_of
from bench.harness.wording import counted

PACKAGE = "moevlm"  # what base and head differ in; scenarios and harness are head's on both sides
STAGE_1_SHARE = 0.6  # of the budget, at most: what it leaves confirms suspects
HOPELESS = (Verdict.FAILED, Verdict.WRONG)  # each launch would lose a worker, or answer wrongly
SCENARIO_BUDGET_S = 0.8  # clock time of one scenario's blocks in one launch, both sides together


def pinned_project(brief: Brief) -> Project:
    """Return what both sides run, on one and the same device."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--device", default="auto")
    asked, others = parser.parse_known_args(list(brief.arguments))
    pinned = pin_device(asked.device)
    return Project(
        root=brief.root,
        package=PACKAGE,
        arguments=[*others, *pinned.arguments],
        environment=pinned.environment,
    )


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that a launch takes, as the launches so far tell."""

    start_s: float = 30.0  # of two workers, with their end; a guess until a launch has been timed
    scenario_s: float = 0.0  # of one scenario, both sides together

    def launch_s(self, num_scenarios: int) -> float:
        """Return what a launch of so many scenarios would take."""
        return self.start_s + num_scenarios * self.scenario_s

    def after(self, marks: Sequence[float], total_s: float) -> "Pace":
        """Learn from a launch, by the seconds from its start to each scenario's end, and to its own.

        One of a single scenario cannot tell start from scenario and keeps the start.

        >>> Pace().after([7.0, 8.5, 10.0], 12.0)
        Pace(start_s=7.5, scenario_s=1.5)
        """
        if len(marks) < 2:
            return Pace(start_s=self.start_s, scenario_s=max(0.0, total_s - self.start_s))
        scenario_s = (marks[-1] - marks[0]) / (len(marks) - 1)
        return Pace(start_s=total_s - len(marks) * scenario_s, scenario_s=scenario_s)


class Stages:
    """Launches one after another: how many there were, what they cost, what went wrong."""

    def __init__(
        self,
        brief: Brief,
        base: SourceTree,
        head: SourceTree,
        limits: Mapping[str, Limits],
        *,
        known: Known,
        deadline: float,
        note: Callable[[str], None],
    ) -> None:
        self.limits, self.known = limits, known
        self.brief, self.deadline, self.note = brief, deadline, note
        self.base = Side(name=BASE, folder=base.folder, arguments=brief.side_arguments.get(BASE, ()))
        self.head = Side(name=HEAD, folder=head.folder, arguments=brief.side_arguments.get(HEAD, ()))
        self.placebo = replace(self.base, name=HEAD)
        self.project = pinned_project(brief)
        self.number = 0
        self.pace = Pace()
        self.troubles: list[Trouble] = []

    def screen(self, node_ids: Sequence[str]) -> list[PairedLaunch]:
        """Measure everything a few times, placebos among them; part of the budget is left to confirm suspects."""
        launches: list[PairedLaunch] = []
        stop_at = self.deadline - (1 - STAGE_1_SHARE) * self.brief.budget_s
        num_real = 0
        while (
            (left := self._left(node_ids))
            and num_real < STAGE_1_LAUNCHES
            and (num_real == 0 or self._fits(len(left), stop_at))
        ):
            launches += self._launch(left, stage=1)
            num_real += not is_placebo(self.number - 1)
        return launches

    def confirm(self, node_ids: Sequence[str], stage_1: Sequence[PairedLaunch]) -> list[PairedLaunch]:
        """Give suspects fresh launches, as many suspects as the budget can give all of them."""
        by_scenario = {scenario_of(node_id): node_id for node_id in node_ids}
        ranked = [by_scenario[name] for name in suspects(stage_1, self.limits)]
        chosen = self._left(ranked[: self._num_confirmable(len(ranked))])
        launches: list[PairedLaunch] = []
        num_real = 0
        while chosen and num_real < STAGE_2_LAUNCHES and self._fits(len(chosen), self.deadline):
            launches += self._launch(chosen, stage=2)
            num_real += not is_placebo(self.number - 1)
            if num_real == STAGE_2_LOOK:
                done = cleared(launches, self.limits)
                chosen = [node_id for node_id in chosen if scenario_of(node_id) not in done]
            chosen = self._left(chosen)
        return launches

    def profile(self, node_ids: Sequence[str], verdicts: Sequence[ScenarioVerdict]) -> list[ScenarioProfile]:
        """Look into what regressed; the verdicts stand, so the budget does not bind."""
        profiles = []
        for one in profile_regressed(verdicts, node_ids, self._sides_for, self.project):
            said = one.why or f"{counted(len(one.changes), 'operation')} changed"
            self.note(f"profiled {one.scenario}, {one.arm}: {said}")
            profiles.append(one)
        return profiles

    def _sides_for(self, scenario: str) -> tuple[Side, Side]:
        return self.known.sides_for(scenario, self.base, self.head)

    def _num_confirmable(self, wanted: int) -> int:
        """Count the suspects, of those wanted, for which all launches of stage 2 fit; at least one is tried."""
        num_launches = STAGE_2_LAUNCHES * PLACEBO_EVERY / (PLACEBO_EVERY - 1)
        each_s = (self.deadline - time.monotonic()) / num_launches
        return next((count for count in range(wanted, 1, -1) if self.pace.launch_s(count) <= each_s), 1)

    def _fits(self, num_scenarios: int, deadline: float) -> bool:
        return time.monotonic() + self.pace.launch_s(num_scenarios) < deadline

    def _left(self, node_ids: Sequence[str]) -> list[str]:
        """Leave out what would fail again in each launch."""
        gone = {trouble.scenario for trouble in self.troubles if trouble.verdict in HOPELESS} | {*self.known.settled}
        return [node_id for node_id in node_ids if scenario_of(node_id) not in gone]

    def _launch(self, node_ids: Sequence[str], *, stage: int) -> list[PairedLaunch]:
        left, placebo = self.deadline - time.monotonic(), is_placebo(self.number)
        what = "base against itself" if placebo else "base against head"
        scenarios = counted(len(node_ids), "scenario")
        self.note(f"stage {stage}, launch {self.number + 1}: {what}, {scenarios}, {left:.0f} s left")
        terms = LaunchTerms(
            project=self.project,
            base=self.base,
            head=self.placebo if placebo else self.head,
            number=self.number,
            known=self.known,
            seed=self.brief.seed,
            budget_s=SCENARIO_BUDGET_S,
            is_placebo=placebo,
        )
        started, found, marks = time.monotonic(), [], []
        for result in run_launch(terms, node_ids):
            marks.append(time.monotonic() - started)
            if isinstance(result, Trouble):
                self.troubles.append(result)
            else:
                found.append(result)
        self.number += 1
        self.pace = self.pace.after(marks, time.monotonic() - started)
        return found
