"""twins: write the page about trained twins, with its figures."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.figures import figure_path
from bench.commands.parsing import Commands, command_line
from bench.harness.record import replace_text
from bench.pages.plots.twins import FIGURES, draw_twins
from bench.pages.twins.documents import read_settings
from bench.pages.twins.page import page, with_most_twins

PAGE = Path("docs/twins.md")
NARROWING = ("task", "size")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("twins", help="write the page about trained twins, with figures by layer")
    parser.add_argument("document", type=Path, metavar="DOCUMENT", help="of bench.front.trained score")
    for name in NARROWING:
        parser.add_argument(f"--{name}", metavar="NAME", help="leave the others out")
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw the figures and write the page."""
    settings = read_settings(options.document, task=options.task, size=options.size)
    shown = {title: figure_path(options.out, f"{name}.svg") for title, (name, _) in FIGURES.items()}
    figures = {title: options.out.parent / path for title, path in shown.items()}
    draw_twins(with_most_twins(settings).variants, figures)
    narrowed = [f"--{name} {value}" for name in NARROWING if (value := getattr(options, name))]
    command = " ".join([command_line("twins", [options.document], options.out), *narrowed])
    replace_text(options.out, page(settings, shown, options.document, command))
    for path in (options.out, *figures.values()):
        print(f"written: {path}")
    return 0
