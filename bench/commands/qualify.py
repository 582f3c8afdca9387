"""qualify: measure how often the gate errs on this machine, with unchanged and with slowed code."""

import argparse
import math
import time
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, add_package, add_scenarios, take_pytest_options
from bench.commands.selection import read_selection
from bench.gate.ab.brief import Brief
from bench.gate.qualify.recording import Recorder, Wanted, open_record, record
from bench.gate.qualify.store import read_qualification
from bench.gate.qualify.suites import RECORD, UNCHANGED, Kind
from bench.gate.qualify.tables import report
from bench.harness.environment import this_machine
from bench.harness.held import held
from bench.harness.reading import seconds, slowdowns
from bench.harness.writing import replace_text
from fixtures.programs.terminal import note, say

GOES_ON = "finished launches are kept; the same command goes on"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("qualify")
    kept = "grows launch by launch; default: %(default)s"
    parser.add_argument("--record", type=Path, default=in_clone(RECORD), metavar="FILE", help=kept)
    parser.add_argument("--base", default="HEAD", metavar="REV", help="unchanged code; default: %(default)s")
    parser.add_argument("--suites", type=int, default=20, metavar="N", help="of unchanged code; default: %(default)s")
    slowed = "also suites with arms of head slowed; repeatable"
    parser.add_argument("--inject", type=slowdowns, action="append", default=[], metavar="ARM=F", help=slowed)
    changed = "also suites with another revision as head; repeatable"
    parser.add_argument("--change", action="append", default=[], metavar="REV", help=changed)
    each = "of each --inject and --change; default: %(default)s"
    parser.add_argument("--slowed-suites", type=int, default=6, metavar="N", help=each)
    length = "of each suite, placebos among them; more than a record has are added; default: %(default)s"
    parser.add_argument("--launches", type=int, default=20, metavar="N", help=length)
    add_package(parser)
    add_scenarios(parser)
    budget = "of this call, like 90m or 8h: what is missing is left to the next; default: no limit"
    parser.add_argument("--budget", type=seconds, default=math.inf, metavar="TIME", help=budget)
    parser.add_argument("--report", action="store_true", help="only print what the record holds")
    take_pytest_options(parser, "--device cuda --dtype bfloat16")
    parser.set_defaults(run=run, goes_on=GOES_ON)


def run(options: argparse.Namespace) -> int:
    """Measure the launches that are missing, then print the tables; what an interrupted call has measured is kept."""
    if not options.report:
        with held("--record", options.record, is_file=True):
            _measure(options)
    said = report(read_qualification(options.record))
    try:
        replace_text(options.record.with_suffix(".md"), f"{said}\n")
    finally:  # a disk that is full by now must not cost what was measured
        say(said)
    return 0


def _measure(options: argparse.Namespace) -> None:
    root, project, expression, passed = read_selection(options)
    brief = Brief(
        root=root,
        project=project,
        base=options.base,
        head=options.base,
        expression=expression,
        arguments=passed.options,
        paths=passed.paths,
        budget_s=options.budget,
        force=True,
    )
    open_record(options.record, brief, this_machine(), options.launches)
    slowed = [*(Kind(injected=one) for one in options.inject), *(Kind(change=one) for one in options.change)]
    wanted = [Wanted(UNCHANGED, options.suites), *(Wanted(kind, options.slowed_suites) for kind in slowed)]
    deadline = time.monotonic() + options.budget
    record(Recorder(path=options.record, brief=brief, deadline=deadline, note=note), wanted)
