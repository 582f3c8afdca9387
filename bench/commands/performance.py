"""performance: write the page about expert backends and decode beside other projects' code, from records."""

import argparse
import shlex
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import load
from bench.pages.performance.page import write

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
        help="of bench/bench_experts.py and bench/decode_peers.py, or a pattern of such names in quotes; "
        "`quiet` or `contended` in a file's name says what else ran",
    )
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page and its tables."""
    paths = [path for named in options.records for path in sorted(named.parent.glob(named.name)) or [named]]
    quoted = [Path(shlex.quote(named.as_posix())) for named in options.records]
    command = command_line("performance", quoted, options.out)
    for path in write(options.out, {path: load(path) for path in paths}, command):
        print(f"written: {path}")
    return 0
