"""Base against head: both sides' sources, the launches, and the verdict on every scenario."""

import time
from collections.abc import Callable, Sequence

from bench.gate.ab.brief import Brief
from bench.gate.ab.collect import collect_both
from bench.gate.ab.identical import identical, other_dependencies
from bench.gate.ab.known import Known
from bench.gate.ab.launches import Trouble
from bench.gate.ab.live import LiveLaunches
from bench.gate.ab.profile import ScenarioProfile, profile_regressed
from bench.gate.ab.result import Comparison
from bench.gate.ab.rounds import Rounds
from bench.gate.ab.sides import Sides, sides_of
from bench.gate.ab.tolerances import FILE_NAME, limits_of, read_rules
from bench.gate.ab.verdicts import Judgement
from bench.gate.ab.worker_process import PINNED_GPU, Side
from bench.gate.ab.worktree import source_tree
from bench.gate.verdict import Verdict
from bench.harness.environment import load_average, machine, software, versions
from bench.harness.measuring import scenario_of
from bench.harness.wording import counted


def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
    """Measure base and head in lock-step and judge every scenario; `note` tells the user what happens.

    Raises:
        ValueError: a revision is unknown, no scenario is selected, or the tolerances make no sense.
    """
    started, package, load = time.monotonic(), brief.project.package, load_average()[0]
    rules = read_rules(brief.root / brief.project.baselines / FILE_NAME)
    with (
        source_tree(brief.root, brief.base, package, brief.project.source) as base,
        source_tree(brief.root, brief.head, package, brief.project.source) as head,
    ):
        if verdicts := identical(brief, base, head, package):
            return Comparison(
                base=base,
                head=head,
                launches=[],
                judgement=Judgement(scenarios=verdicts, groups=[], evidence=None),
                seconds=time.monotonic() - started,
                software=software(versions(), "cpu"),
                machine=machine("cpu"),
                load=(load, load_average()[0]),
                command=brief.command(base, head),
            )
        selected = collect_both(brief, base, package)
        node_ids = selected.node_ids
        limits = limits_of(map(scenario_of, node_ids), rules)
        sides, known = sides_of(brief, base, head), Known(selected.own)
        source, deadline = LiveLaunches(brief, sides, node_ids, known), started + brief.budget_s
        rounds = Rounds(source, limits, budget_s=brief.budget_s, deadline=deadline, note=note, prior=brief.prior)
        if not base.has_package:
            why = f"base {base.commit[:10]} has no package {package}"
            rounds.troubles += [Trouble(scenario=scenario_of(n), verdict=Verdict.NEW, why=why) for n in node_ids]
        judgement = rounds.run([scenario_of(node_id) for node_id in node_ids])
        profiles = _profiles(judgement, node_ids, sides, known, note) if brief.profile else []
        notes = [*selected.notes, *known.notes(), *other_dependencies(base, head)]
    device = "cuda" if PINNED_GPU in sides.project.arguments else "cpu"
    return Comparison(
        base=base,
        head=head,
        launches=rounds.launches,
        judgement=judgement,
        seconds=time.monotonic() - started,
        software=software(versions(), device),
        machine=machine(device),
        load=(load, load_average()[0]),
        command=brief.command(base, head),
        profiles=profiles,
        accept_answers=brief.accept_answers,
        notes=notes,
    )


def _profiles(
    judgement: Judgement, node_ids: Sequence[str], sides: Sides, known: Known, note: Callable[[str], None]
) -> list[ScenarioProfile]:
    """Look into what regressed; the verdicts stand, so the budget does not bind."""

    def sides_for(scenario: str) -> tuple[Side, Side]:
        return known.sides_for(scenario, sides.base, sides.head)

    profiles = []
    for one in profile_regressed(judgement.scenarios, node_ids, sides_for, sides.project):
        said = one.why or f"{counted(len(one.changes), 'operation')} changed"
        note(f"profiled {one.scenario}, {one.arm}: {said}")
        profiles.append(one)
    return profiles
