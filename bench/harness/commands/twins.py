"""twins: draw what `python -m bench.front.trained score` wrote, and print its table."""

import argparse
from pathlib import Path

from bench.harness.commands.parsing import Commands
from bench.harness.markdown import markdown_table
from bench.harness.plot.twins import draw_twins
from bench.harness.twins import HEADERS, read_twins, summary_rows

IMAGES = Path("docs/images")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("twins", help="draw trained twins by layer, and print their table")
    parser.add_argument("document", type=Path, metavar="DOCUMENT", help="of bench.front.trained score")
    for name in ("task", "size"):
        parser.add_argument(f"--{name}", metavar="NAME", help="whose twins, where the document holds several")
    parser.add_argument("--out", type=Path, default=IMAGES, metavar="DIR", help="takes the SVGs; default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw the twins of a document; the table is printed as markdown."""
    variants = read_twins(options.document, task=options.task, size=options.size)
    print(markdown_table(HEADERS, summary_rows(variants)))
    for path in draw_twins(variants, options.out):
        print(f"drawn: {path}")
    return 0
