"""coverage: tell how often another launch falls where three say that it does, from records of more launches."""

import argparse
from pathlib import Path

from tabulate import tabulate

from bench.commands.parsing import Commands
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.record import load
from bench.harness.wording import counted
from bench.pages.coverage import FEW, HEADERS, LEAST, coverage, coverage_rows, overall
from bench.pages.engine import percent
from bench.pages.grouping import grouped
from bench.pages.results.families import families_of
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("coverage")
    of = f"of pytest bench; together more than {FEW} launches of some scenarios"
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help=of)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table; end as REGRESSED does where fewer launches than LEAST fell inside.

    Raises:
        ValueError: no scenario has enough launches.
    """
    machines = grouped(map(load, options.records), lambda record: str(sorted(record.kind.items())))
    found = [held for of_kind in machines for held in coverage(families_of(of_kind))]
    if not found:
        raise ValueError(
            f"records must hold a scenario of the whole model in more than {FEW} launches, got none; name more records"
        )
    share = overall(found)
    say(tabulate(coverage_rows(found), headers=HEADERS, tablefmt="github", disable_numparse=True))
    said = f"{counted(len(found), 'scenario')}, each launch asked of every {FEW} others"
    say(f"{said}: {percent(share, '.1f')} fell inside; {percent(LEAST, '.0f')} at least must")
    return EXIT_CODES[Verdict.REGRESSED] if share.estimate < LEAST else 0
