"""twins: write the page about trained twins, with its table and figures."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.figures import figure_path
from bench.commands.parsing import Commands, command_line
from bench.harness.record import replace_text
from bench.pages.data import write_tables
from bench.pages.engine import render
from bench.pages.plots.twins import FIGURES, draw_twins, routed, with_most_twins
from bench.pages.twins.documents import read_settings
from bench.pages.twins.facts import facts

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
    """Draw the figures and write the page and its table."""
    settings = read_settings(options.document, task=options.task, size=options.size)
    figured = with_most_twins(settings)
    drawn = routed(figured.variants)
    titles = FIGURES if drawn else {}
    figures = {title: figure_path(options.out, f"{titles[title][0]}.svg") for title in titles}
    draw_twins(drawn, {title: options.out.parent / path for title, path in figures.items()})
    known = facts(settings)
    links = write_tables(options.out, {"values": known["rows"]})
    shown = {"figured": figured.name, "figures": figures, "links": links}
    narrowed = [f"--{name} {value}" for name in NARROWING if (value := getattr(options, name))]
    command = " ".join([command_line("twins", [options.document], options.out), *narrowed])
    source = {"document": options.document.as_posix(), "command": command}
    replace_text(options.out, render("twins/template.md", {**known, **shown, **source}))
    for path in (options.out, *(options.out.parent / link for link in (*links.values(), *figures.values()))):
        print(f"written: {path}")
    return 0
