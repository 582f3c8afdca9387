"""Run suites until there are as many of each kind as asked for; what is on disk already is not run again."""

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.ab.brief import Brief
from bench.gate.ab.collect import collect
from bench.gate.ab.compare import compare
from bench.gate.ab.endings import HEAD
from bench.gate.qualify.rules import flagged
from bench.gate.qualify.suites import REMEDY, Qualification, Suite, condense, read_qualification, write_qualification
from bench.harness.environment import load_average
from bench.harness.measuring import scenario_of
from bench.harness.reading import inject_option

SAME_MACHINE = ("device", "device_model", "device_count", "cpu_model", "cpu_count", "torch", "transformers")


class Wanted(NamedTuple):
    """So many suites of one kind."""

    injected: Mapping[str, float]  # arm of head -> factor; empty: unchanged code
    number: int


def missing(wanted: Sequence[Wanted], qualification: Qualification) -> list[Mapping[str, float]]:
    """List the suites still to run, kinds mixed in proportion, so that an interrupted call leaves some of each.

    >>> wanted = [Wanted({}, 4), Wanted({"moe": 1.05}, 2)]
    >>> [len(kind) for kind in missing(wanted, Qualification(machine={}, scenarios=(), arguments=()))]
    [0, 0, 1, 0, 0, 1]
    """
    left = [
        ((place + 1) / one.number, one.injected)
        for one in wanted
        for place in range(len(qualification.with_injected(one.injected)), one.number)
    ]
    return [injected for _, injected in sorted(left, key=lambda item: item[0])]


def open_qualification(path: Path, brief: Brief, machine: Mapping[str, Any]) -> Qualification:
    """Read what earlier calls have left, or begin.

    Raises:
        ValueError: it was measured on another machine, with other software or other scenarios.
    """
    scenarios = [scenario_of(node_id) for node_id in collect(brief)]
    fresh = Qualification(machine=machine, scenarios=scenarios, arguments=list(brief.arguments))
    if not path.exists():
        return fresh
    found = read_qualification(path)
    changed = [field for field in SAME_MACHINE if found.machine.get(field) != machine.get(field)]
    if changed or list(found.scenarios) != scenarios:
        what = ", ".join(changed) or "scenarios"
        raise ValueError(f"{path} must come from this machine and these scenarios, got other {what}; {REMEDY}")
    return found


def run_suites(
    path: Path,
    brief: Brief,
    qualification: Qualification,
    kinds: Sequence[Mapping[str, float]],
    note: Callable[[str], None],
) -> Qualification:
    """Run a suite of each kind, base and head the same revision; each is on disk before the next one starts."""
    for number, injected in enumerate(kinds, start=1):
        what = ", ".join(f"{arm} x {factor:g}" for arm, factor in injected.items()) or "unchanged code"
        note(f"suite {number} of {len(kinds)}: {what}")
        suite = _run(replace(brief, seed=len(qualification.suites)), injected, note)
        qualification = replace(qualification, suites=[*qualification.suites, suite])
        write_qualification(path, qualification)
    return qualification


def _run(brief: Brief, injected: Mapping[str, float], note: Callable[[str], None]) -> Suite:
    started, before = datetime.datetime.now(datetime.UTC), load_average()[0]
    result = compare(replace(brief, side_arguments={HEAD: inject_option(injected)}), note)
    counted = {launch.scenario for launch in result.stage_1 if launch.counted}
    judged = [verdict for verdict in result.verdicts if verdict.scenario not in counted]
    return Suite(
        injected=dict(injected),
        commit=result.head.commit,
        started=started.isoformat(timespec="seconds"),
        seconds=math.ceil(result.seconds),
        load=[before, load_average()[0]],
        verdicts={verdict.scenario: verdict.verdict.value for verdict in judged},
        where={verdict.scenario: verdict.where for verdict in judged if verdict.where},
        flagged=flagged(result.stage_1),
        stage_1=condense(result.stage_1),
        stage_2=condense(result.stage_2),
    )
