"""Base against head: both sides' sources, the launches, and the verdict on every scenario."""

import time
from collections.abc import Callable

from bench.gate.ab.brief import Brief
from bench.gate.ab.collect import collect_both
from bench.gate.ab.identical import identical, other_dependencies
from bench.gate.ab.known import Known
from bench.gate.ab.launches import Trouble
from bench.gate.ab.result import Comparison
from bench.gate.ab.stages import PACKAGE, Stages
from bench.gate.ab.tolerances import FILE_NAME, limits_of, read_rules
from bench.gate.ab.verdicts import decide
from bench.gate.ab.worker_process import PINNED_GPU
from bench.gate.ab.worktree import source_tree
from bench.gate.baseline import FOLDER
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.environment import software, versions
from bench.harness.measuring import scenario_of


def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
    """Measure base and head in lock-step and judge every scenario; `note` tells the user what happens.

    Raises:
        ValueError: a revision is unknown, no scenario is selected, or the tolerances make no sense.
    """
    started = time.monotonic()
    rules = read_rules(brief.root / FOLDER / FILE_NAME)
    with (
        source_tree(brief.root, brief.base, PACKAGE) as base,
        source_tree(brief.root, brief.head, PACKAGE) as head,
    ):
        if verdicts := identical(brief, base, head, PACKAGE):
            return Comparison(
                base=base,
                head=head,
                stage_1=[],
                stage_2=[],
                verdicts=verdicts,
                seconds=time.monotonic() - started,
                software=software(versions(), "cpu"),
            )
        selected = collect_both(brief, base, PACKAGE)
        node_ids = selected.node_ids
        limits = limits_of(map(scenario_of, node_ids), rules)
        known = Known(selected.own)
        stages = Stages(brief, base, head, limits, known=known, deadline=started + brief.budget_s, note=note)
        if base.has_package:
            stage_1 = stages.screen(node_ids)
            stage_2 = stages.confirm(node_ids, stage_1)
        else:
            why = f"base {base.commit[:10]} has no package {PACKAGE}"
            stages.troubles += [Trouble(scenario=scenario_of(n), verdict=Verdict.NEW, why=why) for n in node_ids]
            stage_1 = stage_2 = []
        verdicts = decide(stage_1, stage_2, troubles=stages.troubles, limits=limits)
        profiles = stages.profile(node_ids, verdicts) if brief.profile else []
        notes = [*selected.notes, *known.notes(), *other_dependencies(base, head)]
    judged = {verdict.scenario for verdict in verdicts}
    why = "the time budget ended before it was measured; raise --budget or name fewer --scenarios"
    verdicts += [
        ScenarioVerdict(scenario=name, verdict=Verdict.INCONCLUSIVE, why=why, num_launches=0)
        for name in map(scenario_of, node_ids)
        if name not in judged
    ]
    return Comparison(
        base=base,
        head=head,
        stage_1=stage_1,
        stage_2=stage_2,
        verdicts=verdicts,
        seconds=time.monotonic() - started,
        software=software(versions(), "cuda" if PINNED_GPU in stages.project.arguments else "cpu"),
        profiles=profiles,
        notes=notes,
    )
