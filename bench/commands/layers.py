"""layers: write the page about decoder layers, with its figures, from records."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import load, replace_text
from bench.pages.layers.page import page
from bench.pages.layers.times import read_layers
from bench.pages.plots.layers import draw_layers

PAGE = Path("docs/specialization.md")
IMAGES = "images"  # beside the page


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("layers", help="write the page on where the time of decoder layers goes, from records")
    parser.add_argument(
        "records",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="of bench/bench_layers.py and bench.distributed.parallel",
    )
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw the figures and write the page."""
    records = {path: load(path) for path in options.records}
    said = page(records, command_line("layers", options.records, options.out))
    figures = draw_layers(read_layers(records.values()), options.out.parent / IMAGES)
    replace_text(options.out, said)
    for path in (options.out, *figures):
        print(f"written: {path}")
    return 0
