"""performance: write the page about expert backends and decode beside other projects' code, from records."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import load, replace_text
from bench.pages.performance.page import page

PAGE = Path("docs/performance.md")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "performance", help="write the page on expert backends and decode beside other projects' code, from records"
    )
    parser.add_argument(
        "records",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="of bench/bench_experts.py and bench/decode_peers.py; "
        "`quiet` or `contended` in a file's name says what else ran",
    )
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    records = {path: load(path) for path in options.records}
    said = page(records, command_line("performance", options.records, options.out))
    replace_text(options.out, said)
    print(f"written: {options.out}")
    return 0
