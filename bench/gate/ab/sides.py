"""What a launch runs in each slot: base and head, or base twice; on one and the same device."""

import argparse
from dataclasses import dataclass

from bench.gate.ab.brief import Brief
from bench.gate.ab.endings import BASE, HEAD
from bench.gate.ab.worker_process import Project, Side, pin_device
from bench.gate.ab.worktree import SourceTree


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Base and head, and what both share."""

    base: Side
    head: Side
    placebo: Side  # base's, in head's slot
    project: Project


def sides_of(brief: Brief, base: SourceTree, head: SourceTree) -> Sides:
    """Return what the sources of both sides are run as."""
    of_base, of_head = (tuple(brief.side_arguments.get(name, ())) for name in (BASE, HEAD))
    return Sides(
        base=Side(name=BASE, folder=base.folder, arguments=of_base),
        head=Side(name=HEAD, folder=head.folder, arguments=of_head),
        placebo=Side(name=HEAD, folder=base.folder, arguments=of_base),
        project=pinned_project(brief),
    )


def pinned_project(brief: Brief) -> Project:
    """Return what both sides run, on one and the same device."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--device", default="auto")
    asked, others = parser.parse_known_args(list(brief.arguments))
    pinned = pin_device(asked.device)
    return Project(
        root=brief.root,
        package=brief.project.package,
        arguments=[*others, *pinned.arguments],
        environment=pinned.environment,
    )
