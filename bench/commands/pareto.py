"""pareto: write the page about accuracy against throughput, with its figures and tables."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.figures import figure_path
from bench.commands.parsing import Commands, command_line
from bench.harness.record import replace_text
from bench.pages.data import write_tables
from bench.pages.engine import render
from bench.pages.pareto.documents import Tier, read_tiers
from bench.pages.pareto.facts import facts_of, rows
from bench.pages.pareto.points import AXES, TITLES
from bench.pages.plots.pareto import draw_front

PAGE = Path("docs/pareto.md")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("pareto", help="write the page about accuracy against throughput, with its figures")
    parser.add_argument(
        "documents",
        nargs="+",
        type=Path,
        metavar="DOCUMENT",
        help="written by bench.front: trained, published, supplied",
    )
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw each tier over each throughput, and write the tables and the page."""
    tiers = read_tiers(options.documents)
    figures = {name: [_draw(tier, axis, options.out) for axis in AXES] for name, tier in tiers.items()}
    found = {name: facts_of(tier) for name, tier in tiers.items()}
    tables = write_tables(options.out, rows(found.values()))
    command = command_line("pareto", options.documents, options.out)
    facts = {"tiers": found, "titles": TITLES, "figures": figures, "tables": tables, "command": command}
    page = render("pareto/template.md", facts)
    replace_text(options.out, page)  # last: a page never links to what could not be written
    for path in (*tables.values(), *(path for of_tier in figures.values() for path in of_tier)):
        print(f"written: {options.out.parent / path}")
    print(f"written: {options.out}")
    return 0


def _draw(tier: Tier, axis: str, out: Path) -> Path:
    figure = figure_path(out, f"{tier.name}-{axis.replace('_', '-')}.svg")
    draw_front(tier, axis, out.parent / figure)
    return figure
