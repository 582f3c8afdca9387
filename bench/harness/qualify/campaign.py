"""Run suites until there are as many of each kind as asked for; what is on disk already is not run again."""

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.harness.ab.command import collect, compare
from bench.harness.ab.lockstep import HEAD
from bench.harness.ab.request import Comparison, Request
from bench.harness.environment import load_average
from bench.harness.measuring import scenario_of
from bench.harness.options import inject_option
from bench.harness.qualify.rules import flagged
from bench.harness.qualify.suites import REMEDY, Campaign, Suite, condense, read_campaign, write_campaign

SAME_MACHINE = ("device", "device_model", "device_count", "cpu_model", "cpu_count", "torch", "transformers")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """So many suites of one kind."""

    injected: Mapping[str, float]  # arm of head -> factor; empty: unchanged code
    count: int


def missing(wanted: Sequence[Wanted], campaign: Campaign) -> list[Mapping[str, float]]:
    """List the suites still to run, kinds mixed in proportion, so that an interrupted campaign has some of each.

    >>> wanted = [Wanted(injected={}, count=4), Wanted(injected={"moe": 1.05}, count=2)]
    >>> [len(kind) for kind in missing(wanted, Campaign(machine={}, scenarios=(), arguments=()))]
    [0, 0, 1, 0, 0, 1]
    """
    left = [
        ((number + 1) / one.count, one.injected)
        for one in wanted
        for number in range(len(campaign.with_injected(one.injected)), one.count)
    ]
    return [injected for _, injected in sorted(left, key=lambda item: item[0])]


def open_campaign(path: Path, request: Request, machine: Mapping[str, Any]) -> Campaign:
    """Read what earlier calls have left, or begin.

    Raises:
        ValueError: it was measured on another machine, with other software or other scenarios.
    """
    scenarios = [scenario_of(node_id) for node_id in collect(request)]
    fresh = Campaign(machine=machine, scenarios=scenarios, arguments=list(request.arguments))
    if not path.exists():
        return fresh
    found = read_campaign(path)
    changed = [field for field in SAME_MACHINE if found.machine.get(field) != machine.get(field)]
    if changed or list(found.scenarios) != scenarios:
        what = ", ".join(changed) or "scenarios"
        raise ValueError(f"{path} must come from this machine and these scenarios, got other {what}; {REMEDY}")
    return found


def run_suites(
    path: Path, request: Request, campaign: Campaign, kinds: Sequence[Mapping[str, float]], note: Callable[[str], None]
) -> Campaign:
    """Run the suites; each is on disk before the next one starts.

    Args:
        path: of the campaign's file.
        request: what one suite is, base and head the same revision.
        campaign: what is there already.
        kinds: what is injected into each suite.
        note: tells the user what happens.

    Returns:
        The campaign with the new suites.
    """
    for number, injected in enumerate(kinds, start=1):
        what = ", ".join(f"{arm} x {factor:g}" for arm, factor in injected.items()) or "unchanged code"
        note(f"suite {number} of {len(kinds)}: {what}")
        suite = _run(replace(request, seed=len(campaign.suites)), injected, note)
        campaign = replace(campaign, suites=[*campaign.suites, suite])
        write_campaign(path, campaign)
    return campaign


def _run(request: Request, injected: Mapping[str, float], note: Callable[[str], None]) -> Suite:
    started, before = datetime.datetime.now(datetime.UTC), load_average()[0]
    result = compare(replace(request, side_arguments={HEAD: inject_option(injected)}), note)
    return _suite(result, injected, started.isoformat(timespec="seconds"), [before, load_average()[0]])


def _suite(result: Comparison, injected: Mapping[str, float], started: str, load: Sequence[float]) -> Suite:
    counted = {launch.scenario for launch in result.stage_1 if launch.counted}
    judged = [verdict for verdict in result.verdicts if verdict.scenario not in counted]
    return Suite(
        injected=dict(injected),
        commit=result.head.commit,
        started=started,
        seconds=math.ceil(result.seconds),
        load=load,
        verdicts={verdict.scenario: verdict.verdict.value for verdict in judged},
        where={verdict.scenario: verdict.where for verdict in judged if verdict.where},
        flagged=flagged(result.stage_1),
        stage_1=condense(result.stage_1),
        stage_2=condense(result.stage_2),
    )
