"""Base against head: worktrees, launches in two stages within a budget, and the result as JSON and as a table."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.harness.ab.decision import (
    PLACEBO_EVERY,
    STAGE_1_LAUNCHES,
    STAGE_2_LAUNCHES,
    STAGE_2_LOOK,
    cleared,
    decide,
    suspects,
)
from bench.harness.ab.judgement import Limits
from bench.harness.ab.lockstep import BASE, HEAD, LaunchPlan, run_launch
from bench.harness.ab.pace import Pace
from bench.harness.ab.process import Project, Side, pin_device
from bench.harness.ab.profile import ScenarioProfile, profile_regressed
from bench.harness.ab.tolerances import limits_of, read_rules
from bench.harness.ab.types import PairedLaunch, Trouble
from bench.harness.ab.worktree import SourceTree, source_tree
from bench.harness.measuring import scenario_of
from bench.harness.record import replace_text
from bench.harness.verdict import ScenarioVerdict, Verdict

PACKAGE = "moevlm"  # what base and head differ in; scenarios and harness are head's on both sides
STAGE_1_SHARE = 0.6  # of the budget, at most: what it leaves confirms suspects
SCENARIO_BUDGET_S = 0.8  # clock time of one scenario's blocks in one launch, both sides together


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is compared, and how long it may take."""

    root: Path
    base: str  # a git revision
    head: str | None  # a git revision; None is the working tree as it is
    expression: str  # pytest's -k; empty for all scenarios
    arguments: Sequence[str]  # pytest options of both sides: scales, sizes, device
    budget_s: float
    seed: int
    tolerances: Path  # a file; see `tolerances`
    side_arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of one side, to rehearse a regression
    profile: bool = False  # regressed scenarios once more, under the profiler


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured and what is said of it."""

    base: SourceTree
    head: SourceTree
    stage_1: Sequence[PairedLaunch]
    stage_2: Sequence[PairedLaunch]
    verdicts: Sequence[ScenarioVerdict]
    seconds: float
    profiles: Sequence[ScenarioProfile] = ()

    def document(self) -> dict[str, Any]:
        """Return all launches and verdicts as JSON knows them."""
        sides = {
            name: {"commit": tree.commit, "is_dirty": tree.is_dirty}
            for name, tree in ((BASE, self.base), (HEAD, self.head))
        }
        stages = {"stage_1": [asdict(one) for one in self.stage_1], "stage_2": [asdict(one) for one in self.stage_2]}
        said = [
            {"scenario": v.scenario, "verdict": v.verdict.value, "where": v.where, "why": v.why} for v in self.verdicts
        ]
        profiles = [asdict(one) for one in self.profiles]
        return {**sides, **stages, "verdicts": said, "profiles": profiles, "seconds": self.seconds}

    def write(self, path: Path) -> None:
        """Write the document whole or not at all.

        Raises:
            RecordWriteError: if the file system refuses.
        """
        replace_text(path, json.dumps(self.document()))


def compare(request: Request, note: Callable[[str], None]) -> Comparison:
    """Measure base and head in lock-step and judge every scenario.

    Args:
        request: what is compared.
        note: tells the user what happens.

    Raises:
        ValueError: a revision is unknown, no scenario is selected, or the tolerances make no sense.
    """
    started = time.monotonic()
    rules = read_rules(request.tolerances)
    node_ids = collect(request)
    limits = limits_of(map(scenario_of, node_ids), rules)
    with (
        source_tree(request.root, request.base, PACKAGE) as base,
        source_tree(request.root, request.head, PACKAGE) as head,
    ):
        series = _Series(request, base, head, limits, deadline=started + request.budget_s, note=note)
        if base.has_package:
            stage_1 = series.screen(node_ids)
            stage_2 = series.confirm(node_ids, stage_1)
        else:
            why = f"base {base.commit[:10]} has no package {PACKAGE}"
            series.troubles += [Trouble(scenario=scenario_of(n), verdict=Verdict.NEW, why=why) for n in node_ids]
            stage_1 = stage_2 = []
        verdicts = decide(stage_1, stage_2, troubles=series.troubles, limits=limits)
        profiles = series.profile(node_ids, verdicts) if request.profile else []
    judged = {verdict.scenario for verdict in verdicts}
    verdicts += [_unmeasured(name) for name in map(scenario_of, node_ids) if name not in judged]
    return Comparison(
        base=base,
        head=head,
        stage_1=stage_1,
        stage_2=stage_2,
        verdicts=verdicts,
        seconds=time.monotonic() - started,
        profiles=profiles,
    )


def _unmeasured(scenario: str) -> ScenarioVerdict:
    why = "the time budget ended before it was measured; raise --budget or name fewer --scenarios"
    return ScenarioVerdict(scenario=scenario, verdict=Verdict.INCONCLUSIVE, why=why, num_launches=0)


def collect(request: Request) -> list[str]:
    """List the node ids of the selected scenarios.

    Raises:
        ValueError: none is selected, or pytest refuses the options; with its words.
    """
    command = [sys.executable, "-m", "pytest", "bench", "--collect-only", "-q", *request.arguments]
    command += ["-k", request.expression] if request.expression else []
    done = subprocess.run(command, cwd=request.root, capture_output=True, text=True, check=False)
    node_ids = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith("ERROR")]
    if done.returncode or not node_ids:
        said = (done.stdout + done.stderr).strip()[-400:]
        raise ValueError(f"--scenarios must select a scenario, got {request.expression!r}; pytest says: {said}")
    return node_ids


def pinned_project(request: Request) -> Project:
    """Return what both sides run, on one and the same device."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--device", default="auto")
    asked, others = parser.parse_known_args(list(request.arguments))
    pinned = pin_device(asked.device)
    return Project(
        root=request.root,
        package=PACKAGE,
        arguments=[*others, *pinned.arguments],
        environment=pinned.environment,
    )


class _Series:
    """Launches one after another: how many there were, what they cost, what went wrong."""

    def __init__(
        self,
        request: Request,
        base: SourceTree,
        head: SourceTree,
        limits: Mapping[str, Limits],
        *,
        deadline: float,
        note: Callable[[str], None],
    ) -> None:
        self.limits = limits
        self.request, self.deadline, self.note = request, deadline, note
        self.base = Side(name=BASE, folder=base.folder, arguments=request.side_arguments.get(BASE, ()))
        self.head = Side(name=HEAD, folder=head.folder, arguments=request.side_arguments.get(HEAD, ()))
        self.placebo = Side(name=HEAD, folder=base.folder, arguments=request.side_arguments.get(BASE, ()))
        self.project = pinned_project(request)
        self.number = 0
        self.pace = Pace()
        self.troubles: list[Trouble] = []

    def screen(self, node_ids: Sequence[str]) -> list[PairedLaunch]:
        """Measure everything a few times, placebos among them; part of the budget is left to confirm suspects."""
        launches: list[PairedLaunch] = []
        stop_at = self.deadline - (1 - STAGE_1_SHARE) * self.request.budget_s
        num_real = 0
        while num_real < STAGE_1_LAUNCHES and (num_real == 0 or self._fits(len(node_ids), stop_at)):
            is_placebo = self._is_placebo()
            launches += self._launch(node_ids, is_placebo=is_placebo, stage=1)
            num_real += not is_placebo
        return launches

    def confirm(self, node_ids: Sequence[str], stage_1: Sequence[PairedLaunch]) -> list[PairedLaunch]:
        """Give suspects fresh launches, as many suspects as the budget can give all of them."""
        by_scenario = {scenario_of(node_id): node_id for node_id in node_ids}
        ranked = [by_scenario[name] for name in suspects(stage_1, self.limits)]
        chosen = ranked[: self._num_confirmable(len(ranked))]
        launches: list[PairedLaunch] = []
        num_real = 0
        while chosen and num_real < STAGE_2_LAUNCHES and self._fits(len(chosen), self.deadline):
            is_placebo = self._is_placebo()
            launches += self._launch(chosen, is_placebo=is_placebo, stage=2)
            num_real += not is_placebo
            if num_real == STAGE_2_LOOK:
                done = cleared(launches, self.limits)
                chosen = [node_id for node_id in chosen if scenario_of(node_id) not in done]
        return launches

    def profile(self, node_ids: Sequence[str], verdicts: Sequence[ScenarioVerdict]) -> list[ScenarioProfile]:
        """Look into what regressed; the verdicts stand, so the budget does not bind."""
        profiles = []
        for one in profile_regressed(verdicts, node_ids, (self.base, self.head), self.project):
            self.note(f"profiled {one.scenario}, {one.arm}: {one.why or f'{len(one.changes)} operations changed'}")
            profiles.append(one)
        return profiles

    def _num_confirmable(self, wanted: int) -> int:
        """Count the suspects, of those wanted, for which all launches of stage 2 fit; at least one is tried."""
        num_launches = STAGE_2_LAUNCHES * PLACEBO_EVERY / (PLACEBO_EVERY - 1)
        each_s = (self.deadline - time.monotonic()) / num_launches
        return next((count for count in range(wanted, 1, -1) if self.pace.launch_s(count) <= each_s), 1)

    def _fits(self, num_scenarios: int, deadline: float) -> bool:
        return time.monotonic() + self.pace.launch_s(num_scenarios) < deadline

    def _is_placebo(self) -> bool:
        return self.number % PLACEBO_EVERY == PLACEBO_EVERY - 1

    def _launch(self, node_ids: Sequence[str], *, is_placebo: bool, stage: int) -> list[PairedLaunch]:
        gone = {trouble.scenario for trouble in self.troubles if trouble.verdict is Verdict.FAILED}
        node_ids = [node_id for node_id in node_ids if scenario_of(node_id) not in gone]  # each would lose its worker
        left = self.deadline - time.monotonic()
        what = "base against itself" if is_placebo else "base against head"
        self.note(f"stage {stage}, launch {self.number + 1}: {what}, {len(node_ids)} scenarios, {left:.0f} s left")
        plan = LaunchPlan(
            project=self.project,
            base=self.base,
            head=self.placebo if is_placebo else self.head,
            number=self.number,
            seed=self.request.seed,
            budget_s=SCENARIO_BUDGET_S,
            is_placebo=is_placebo,
        )
        started, found, marks = time.monotonic(), [], []
        for result in run_launch(plan, node_ids):
            marks.append(time.monotonic() - started)
            if isinstance(result, Trouble):
                self.troubles.append(result)
            else:
                found.append(result)
        self.number += 1
        self.pace = self.pace.after(marks, time.monotonic() - started)
        return found
