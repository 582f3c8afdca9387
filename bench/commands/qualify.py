"""qualify: measure how often the gate errs on this machine, with unchanged and with slowed code."""

import argparse
import sys
from pathlib import Path

from bench.commands.clone import clone_root, in_clone
from bench.commands.parsing import Commands, take_pytest_options
from bench.gate.ab.brief import Brief
from bench.gate.qualify.resume import Wanted, missing, open_qualification, run_suites
from bench.gate.qualify.suites import read_qualification
from bench.gate.qualify.tables import report
from bench.harness.environment import this_machine
from bench.harness.reading import seconds, slowdowns
from bench.harness.record import replace_text

REVISION = "HEAD"  # both sides: what differs is the process alone
RECORD = Path("records/qualify.json")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("qualify", help="measure how often `ab` errs on this machine; resumable")
    record = "grows suite by suite; default: %(default)s"
    parser.add_argument("--record", type=Path, default=in_clone(RECORD), metavar="FILE", help=record)
    parser.add_argument("--suites", type=int, default=40, metavar="N", help="of unchanged code; default: %(default)s")
    slowed = "also suites with an arm of head slowed; repeatable"
    parser.add_argument("--inject", type=slowdowns, action="append", default=[], metavar="ARM=F", help=slowed)
    each = "of each --inject; default: %(default)s"
    parser.add_argument("--injected-suites", type=int, default=5, metavar="N", help=each)
    parser.add_argument("--scenarios", default="", metavar="EXPR", help="pytest's -k; default: all")
    budget = "of one suite, like 90s or 20m; default: 20m"
    parser.add_argument("--budget", type=seconds, default=1200.0, metavar="TIME", help=budget)
    parser.add_argument("--report", action="store_true", help="only print what the record holds")
    take_pytest_options(parser, "--scale tiny")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the suites that are missing, then print the tables; what an interrupted call has measured is kept."""
    if not options.report:
        _measure(options)
    said = report(read_qualification(options.record))
    print(said)
    replace_text(options.record.with_suffix(".md"), f"{said}\n")
    return 0


def _measure(options: argparse.Namespace) -> None:
    def note(text: str) -> None:
        print(text, file=sys.stderr)

    brief = Brief(
        root=clone_root(),
        base=REVISION,
        head=REVISION,
        expression=options.scenarios,
        arguments=options.pytest,
        budget_s=options.budget,
    )
    qualification = open_qualification(options.record, brief, this_machine())
    injected = [Wanted(one, options.injected_suites) for one in options.inject]
    kinds = missing([Wanted({}, options.suites), *injected], qualification)
    note(f"suites: {len(qualification.suites)} there, {len(kinds)} to run")
    run_suites(options.record, brief, qualification, kinds, note)
