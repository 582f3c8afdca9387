"""report: print a record as a markdown table."""

import argparse
from pathlib import Path

from bench.commands.parsing import Commands
from bench.gate.comparison import wrong_scenarios
from bench.gate.markdown import escape, markdown_table
from bench.gate.sentences import explanations
from bench.harness.record import load
from bench.pages.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.pages.recycling import HEADERS as BIAS_HEADERS
from bench.pages.recycling import bias_rows, biases
from bench.pages.report import HEADERS, machine_line, rows_of
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report")
    parser.add_argument("record", type=Path, metavar="RECORD", help="JSON that a run of scenarios left")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what a record holds."""
    record = load(options.record)
    say(f"{escape(machine_line(record))}\n")
    say(markdown_table(HEADERS, [row.cells() for row in rows_of(record, {})]))
    deep = extrapolation_rows(extrapolations(record))
    if deep:
        say(f"\n{markdown_table(EXTRAPOLATION_HEADERS, deep)}")
    if found := bias_rows(biases(record)):
        say(f"\n{markdown_table(BIAS_HEADERS, found)}")
    for text in explanations(wrong_scenarios(record)):
        say(f"\n- {escape(text)}")
    return 0
