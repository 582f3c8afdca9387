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
from bench.pages.report import machine_line
from bench.pages.rows import HEADERS, PARTS, PERCENTILE_HEADERS, has_parts, percentile_rows, rows_of
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report")
    parser.add_argument("record", type=Path, metavar="RECORD", help="JSON that a run of scenarios left")
    parts = "show the parts of a pass that bench_layers times alone, a row each"
    parser.add_argument("--parts", action="store_true", help=parts)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what a record holds."""
    record = load(options.record)
    say(f"{escape(machine_line(record))}\n")
    say(markdown_table(HEADERS, [row.cells() for row in rows_of(record, {}, parts=options.parts)]))
    deep = extrapolation_rows(extrapolations(record))
    if deep:
        say(f"\n{markdown_table(EXTRAPOLATION_HEADERS, deep)}")
    if spread := percentile_rows(record, parts=options.parts):
        say(f"\n{markdown_table(PERCENTILE_HEADERS, spread)}")
    if found := bias_rows(biases(record)):
        say(f"\n{markdown_table(BIAS_HEADERS, found)}")
    hidden = [PARTS] if has_parts(record) and not options.parts else []
    for text in (*hidden, *explanations(wrong_scenarios(record))):
        say(f"\n- {escape(text)}")
    return 0
