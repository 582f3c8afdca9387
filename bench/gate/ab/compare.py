"""Base against head: both sides' sources, the launches, and the verdict on every scenario."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from bench.gate.ab.brief import Brief
from bench.gate.ab.launches import Trouble
from bench.gate.ab.live import LiveLaunches
from bench.gate.ab.profile import ScenarioProfile, profile_regressed
from bench.gate.ab.result import Comparison
from bench.gate.ab.rounds import Rounds
from bench.gate.ab.sides import Sides, sides_of
from bench.gate.ab.tolerances import FILE_NAME, limits_of, read_rules
from bench.gate.ab.verdicts import Judgement
from bench.gate.ab.worker_process import PINNED_GPU
from bench.gate.ab.worktree import source_tree
from bench.gate.verdict import Verdict
from bench.harness.environment import software, versions
from bench.harness.measuring import scenario_of
from bench.harness.wording import counted


def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
    """Measure base and head in lock-step and judge every scenario; `note` tells the user what happens.

    Raises:
        ValueError: a revision is unknown, no scenario is selected, or the tolerances make no sense.
    """
    started, package = time.monotonic(), brief.project.package
    rules = read_rules(brief.root / brief.project.baselines / FILE_NAME)
    node_ids = collect(brief)
    limits = limits_of(map(scenario_of, node_ids), rules)
    with (
        source_tree(brief.root, brief.base, package) as base,
        source_tree(brief.root, brief.head, package) as head,
    ):
        sides = sides_of(brief, base, head)
        source, deadline = LiveLaunches(brief, sides, node_ids), started + brief.budget_s
        rounds = Rounds(source, limits, budget_s=brief.budget_s, deadline=deadline, note=note)
        if not base.has_package:
            why = f"base {base.commit[:10]} has no package {package}"
            rounds.troubles += [Trouble(scenario=scenario_of(n), verdict=Verdict.NEW, why=why) for n in node_ids]
        judgement = rounds.run([scenario_of(node_id) for node_id in node_ids])
        profiles = _profiles(judgement, node_ids, sides, note) if brief.profile else []
    return Comparison(
        base=base,
        head=head,
        launches=rounds.launches,
        judgement=judgement,
        seconds=time.monotonic() - started,
        software=software(versions(), "cuda" if PINNED_GPU in sides.project.arguments else "cpu"),
        profiles=profiles,
        accept_answers=brief.accept_answers,
    )


def _profiles(
    judgement: Judgement, node_ids: Sequence[str], sides: Sides, note: Callable[[str], None]
) -> list[ScenarioProfile]:
    """Look into what regressed; the verdicts stand, so the budget does not bind."""
    profiles = []
    for one in profile_regressed(judgement.scenarios, node_ids, (sides.base, sides.head), sides.project):
        said = one.why or f"{counted(len(one.changes), 'operation')} changed"
        note(f"profiled {one.scenario}, {one.arm}: {said}")
        profiles.append(one)
    return profiles


def collect(brief: Brief) -> list[str]:
    """List the node ids of the selected scenarios.

    Raises:
        ValueError: none is selected, or pytest refuses the options; with its words.
    """
    command = [sys.executable, "-m", "pytest", brief.project.scenarios, "--collect-only", "-q", *brief.arguments]
    command += ["-k", brief.expression] if brief.expression else []
    done = subprocess.run(command, cwd=brief.root, capture_output=True, text=True, check=False)
    node_ids = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith("ERROR")]
    if done.returncode or not node_ids:
        said = (done.stdout + done.stderr).strip()[-400:]
        raise ValueError(f"--scenarios must select a scenario, got {brief.expression!r}; pytest says: {said}")
    return node_ids
