"""ab: measure base and head in lock-step on this machine, now."""

import argparse
import os
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, add_allow_inconclusive, add_package, add_scenarios, take_pytest_options
from bench.commands.selection import read_selection
from bench.gate.ab.brief import Brief
from bench.gate.ab.compare import compare
from bench.gate.ab.endings import HEAD
from bench.gate.annotations import publish
from bench.gate.comment import comment
from bench.gate.junit import junit
from bench.gate.qualify.spread import prior_here
from bench.gate.qualify.suites import RECORD
from bench.gate.since import read_earlier
from bench.gate.verdict import exit_code
from bench.harness.environment import this_machine
from bench.harness.held import held
from bench.harness.progress import notes
from bench.harness.reading import inject_option, reason, seconds, slowdowns
from bench.harness.writing import check_writable, replace_text
from fixtures.programs.terminal import say

LAUNCHES, COMMENT = "ab.json", "ab.md"  # in --out


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("ab")
    parser.add_argument("--base", required=True, metavar="REV", help="git revision to compare with")
    parser.add_argument("--head", metavar="REV", help="git revision to judge; default: the working tree as it is")
    add_package(parser)
    add_scenarios(parser)
    parser.add_argument("--budget", type=seconds, default=1200.0, metavar="TIME", help="like 90s or 20m; default: 20m")
    out = in_clone(Path("records"))
    takes = "takes ab.json and ab.md, which says what changed since the one before; default: %(default)s"
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help=takes)
    add_allow_inconclusive(parser)
    parser.add_argument("--junitxml", type=Path, metavar="FILE", help="takes the verdicts, one test case a scenario")
    force = "measure even if the package and its dependencies are the same on both sides"
    parser.add_argument("--force", action="store_true", help=force)
    profile = "run what regressed once more, and show which operations changed"
    parser.add_argument("--profile", action="store_true", help=profile)
    rehearse = "slow arms of head, to rehearse a regression"
    parser.add_argument("--inject", type=slowdowns, default={}, metavar="ARM=F,...", help=rehearse)
    history = "this machine's `qualify` record: its spread is expected; default: %(default)s, where it is there"
    parser.add_argument("--history", type=Path, default=in_clone(RECORD), metavar="FILE", help=history)
    accept = "accept that head answers otherwise than base, and record why; default: CHANGED, exit 18"
    parser.add_argument("--accept-answers", type=reason, metavar="REASON", help=accept)
    take_pytest_options(parser, "--device cuda bench/bench_decode.py")
    parser.set_defaults(
        run=run, goes_on="nothing is judged, the records of earlier runs are as they were; run it again"
    )


def run(options: argparse.Namespace) -> int:
    """Compare base and head; leave the launches, the comment and the JUnit file, then print the comment."""
    root, project, expression, passed = read_selection(options)
    brief = Brief(
        root=root,
        project=project,
        base=options.base,
        head=options.head,
        expression=expression,
        arguments=passed.options,
        paths=passed.paths,
        budget_s=options.budget,
        side_arguments={HEAD: inject_option(options.inject)},
        accept_answers=options.accept_answers or "",
        prior=prior_here(options.history, this_machine()),
        force=options.force,
        profile=options.profile,
    )
    for path in (options.out / LAUNCHES, *filter(None, [options.junitxml])):
        check_writable(path)
    with held("--out", options.out):
        return _compare(brief, options)


def _compare(brief: Brief, options: argparse.Namespace) -> int:
    earlier = read_earlier(options.out / LAUNCHES)
    with notes() as note:
        result = compare(brief, note=note)
    said = comment(result, earlier)
    allow = options.allow_inconclusive
    try:
        result.write(options.out / LAUNCHES)
        replace_text(options.out / COMMENT, said)
        if options.junitxml:
            replace_text(options.junitxml, junit(result.verdicts, seconds=result.seconds, allow_inconclusive=allow))
    finally:  # a disk that is full by now must not cost what was measured
        say(said)
        for line in publish(said, result.verdicts, os.environ, allow_inconclusive=allow):
            say(line)
    return exit_code(result.verdicts, allow_inconclusive=allow)
