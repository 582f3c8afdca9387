"""Measure suites until there are as many of each kind as asked for: a launch at a time, each on disk before the next.

A suite is not judged here, and nothing is stopped early: every budget and every rule is replayed over what is kept.
"""

import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.ab.brief import Brief
from bench.gate.ab.collect import collect, collect_own
from bench.gate.ab.endings import HEAD
from bench.gate.ab.known import Known
from bench.gate.ab.launches import Trouble
from bench.gate.ab.live import LaunchSource, LiveLaunches
from bench.gate.ab.schedule import covering_order
from bench.gate.ab.sides import sides_of
from bench.gate.ab.verdicts import is_placebo
from bench.gate.ab.worktree import repository_root, resolve, source_tree
from bench.gate.qualify.store import REMEDY, append_launch, append_suite, begin, lengthened, read_qualification
from bench.gate.qualify.suites import SAME_MACHINE, Kind, Launch, Measured, Qualification, Suite, condense
from bench.harness.environment import load_average
from bench.harness.measuring import scenario_of
from bench.harness.reading import inject_option


class Wanted(NamedTuple):
    """So many suites of one kind."""

    kind: Kind
    number: int


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Where suites are kept, what they measure, and until when."""

    path: Path
    brief: Brief  # base; what head is comes with each kind
    deadline: float  # on the monotonic clock: no launch begins after it
    note: Callable[[str], None]


def missing(wanted: Sequence[Wanted], suites: Sequence[Suite]) -> list[Kind]:
    """List the suites still to begin, kinds mixed in proportion, so that an interrupted call leaves some of each.

    >>> [str(kind) for kind in missing([Wanted(Kind(), 4), Wanted(Kind(change="slow"), 2)], [])]
    ['unchanged', 'unchanged', 'slow', 'unchanged', 'unchanged', 'slow']
    """
    begun = [suite.kind for suite in suites]
    left = [
        ((place + 1) / one.number, one.kind) for one in wanted for place in range(begun.count(one.kind), one.number)
    ]
    return [kind for _, kind in sorted(left, key=lambda item: item[0])]


def open_record(path: Path, brief: Brief, machine: Mapping[str, Any], num_launches: int) -> Qualification:
    """Read what earlier calls have left, or begin; suites that are to be longer than they were go on.

    Raises:
        ValueError: it was measured on another machine, with other software or other scenarios, or is longer.
    """
    scenarios = covering_order([scenario_of(node_id) for node_id in collect(brief)])
    fresh = Qualification(
        machine=machine, scenarios=scenarios, arguments=list(brief.arguments), num_launches=num_launches
    )
    if not path.exists():
        begin(path, fresh)
        return fresh
    found = read_qualification(path)
    changed = [field for field in SAME_MACHINE if found.machine.get(field) != machine.get(field)]
    changed += ["scenarios"] if list(found.scenarios) != scenarios else []
    changed += [f"--launches, {found.num_launches}"] if found.num_launches > num_launches else []
    if changed:
        what = ", ".join(changed)
        raise ValueError(f"{path} must come from this machine and these options, got other {what}; {REMEDY}")
    return lengthened(path, found, num_launches)


def record(recorder: Recorder, wanted: Sequence[Wanted]) -> None:
    """Go on with suites that were interrupted, then measure those that are missing."""
    found = read_qualification(recorder.path)
    unfinished = [suite for suite in found.suites if len(suite.launches) < found.num_launches]
    numbered = enumerate(missing(wanted, found.suites), start=len(found.suites))
    begun = [_begun(recorder, kind, number) for number, kind in numbered]
    recorder.note(f"suites: {len(found.whole)} whole, {len(unfinished)} to go on with, {len(begun)} to begin")
    for suite in [*unfinished, *begun]:
        if time.monotonic() < recorder.deadline:
            _go_on(recorder, suite, found.num_launches)


def _begun(recorder: Recorder, kind: Kind, number: int) -> Suite:
    """Fix a suite's revisions by what their names mean now."""
    root, base = repository_root(recorder.brief.root), recorder.brief.base
    head = resolve(root, kind.change or base)
    return Suite(number=number, kind=kind, base=resolve(root, base), head=head, setup_s=0.0)


@contextmanager
def _sources(recorder: Recorder, suite: Suite) -> Iterator[LiveLaunches]:
    """Lay out both sides of a suite, whatever has become of its revisions' names since it began."""
    arguments = {HEAD: inject_option(suite.kind.injected)}
    brief = replace(recorder.brief, base=suite.base, head=suite.head, seed=suite.number, side_arguments=arguments)
    node_ids, package, source = collect(brief), brief.project.package, brief.project.source
    with (
        source_tree(brief.root, suite.base, package, source) as base,
        source_tree(brief.root, suite.head, package, source) as head,
    ):
        known = Known(lambda: collect_own(brief, base.tree))
        yield LiveLaunches(brief, sides_of(brief, base, head), node_ids, known)


def _go_on(recorder: Recorder, suite: Suite, num_launches: int) -> None:
    """Measure the launches that a suite lacks, as long as there is time."""
    started = time.monotonic()
    with _sources(recorder, suite) as source:
        names = list(suite.launches[0].scenarios) if suite.launches else covering_order(list(source.by_scenario))
        if not suite.launches:
            append_suite(recorder.path, replace(suite, setup_s=round(time.monotonic() - started, 2)))
        for number in range(len(suite.launches), num_launches):
            if time.monotonic() > recorder.deadline:
                return
            recorder.note(f"suite {suite.number + 1}, {suite.kind}: launch {number + 1} of {num_launches}")
            launch = measure(source, number, names)
            append_launch(recorder.path, suite, launch)
            names = list(launch.scenarios)


def measure(source: LaunchSource, number: int, names: Sequence[str]) -> Launch:
    """Measure one launch of all scenarios; what is counted cannot err and is left out.

    Raises:
        ValueError: nothing of it is timed.
    """
    started, load = datetime.datetime.now(datetime.UTC), load_average()[0]
    begun, found = source.now(), {}
    for result in source.launch(number, names):
        end_s = source.now() - begun
        if isinstance(result, Trouble):
            found[result.scenario] = Measured(end_s=round(end_s, 2), verdict=result.verdict.value, why=result.why)
        elif not result.counted:
            found[result.scenario] = condense(result, end_s)
    if not found:
        raise ValueError(f"--scenarios must select something that is timed, got {', '.join(names)}; name others")
    return Launch(
        number=number,
        is_placebo=is_placebo(number),
        started=started.isoformat(timespec="seconds"),
        seconds=round(source.now() - begun, 2),
        load=round(load, 2),
        scenarios=found,
    )
