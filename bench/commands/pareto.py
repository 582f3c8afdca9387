"""pareto: write the page about accuracy against throughput, with its figures."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.figures import figure_path
from bench.commands.parsing import Commands, command_line
from bench.harness.record import replace_text
from bench.pages.pareto.documents import Tier, read_tiers
from bench.pages.pareto.page import page
from bench.pages.pareto.points import AXES
from bench.pages.plots.pareto import draw_front

PAGE = Path("docs/pareto.md")
FORMATS = (".svg", ".png")


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


def figure_paths(out: Path, tier: str, axis: str) -> list[Path]:
    """Name the files of a figure, relative to the page.

    >>> figure_paths(Path("mine.md"), "supplied", "req_per_s")[0].as_posix()
    'images/mine-supplied-req-per-s.svg'
    """
    return [figure_path(out, f"{tier}-{axis.replace('_', '-')}{suffix}") for suffix in FORMATS]


def write(documents: Sequence[Path], tiers: Mapping[str, Tier], out: Path) -> str:
    """Return the page.

    Args:
        documents: That the page is written from.
        tiers: What they hold.
        out: Where the page is to be.
    """
    figures = {(name, axis): figure_paths(out, name, axis) for name in tiers for axis in AXES}
    return page(tiers, figures, command_line("pareto", documents, out))


def run(options: argparse.Namespace) -> int:
    """Draw each tier over each throughput, and write the page."""
    tiers = read_tiers(options.documents)
    text = write(options.documents, tiers, options.out)
    for name, tier in tiers.items():
        for axis in AXES:
            paths = [options.out.parent / path for path in figure_paths(options.out, name, axis)]
            draw_front(tier, axis, paths)
            print(f"drawn: {' '.join(map(str, paths))}")
    replace_text(options.out, text)  # last: a page never links to figures that could not be drawn
    print(f"written: {options.out}")
    return 0
