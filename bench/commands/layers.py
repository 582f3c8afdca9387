"""layers: write the page about decoder layers, with its tables and figures, from records."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import load, replace_text
from bench.pages.data import write_tables
from bench.pages.engine import render
from bench.pages.layers.facts import facts
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
    """Write the tables, the figures and the page."""
    records = {path: load(path) for path in options.records}
    found = facts(records)
    tables = write_tables(options.out, {name: found[name] for name in ("passes", "devices")})
    command = command_line("layers", options.records, options.out)
    page = render("layers/template.md", {**found, "tables": tables, "command": command})
    figures = draw_layers(found["layers"], options.out.parent / IMAGES)
    replace_text(options.out, page)
    for path in (options.out, *(options.out.parent / link for link in tables.values()), *figures):
        print(f"written: {path}")
    return 0
