"""results: write the page that answers the questions, with its figure, from records."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import KEY, CorruptRecord, load, replace_text
from bench.pages.data import write_tables
from bench.pages.engine import render
from bench.pages.pareto.documents import read_tiers
from bench.pages.plots.results import draw_speedups
from bench.pages.plots.style import ANY_PAGE, DARK, LIGHT
from bench.pages.results.facts import ASKED, facts
from bench.pages.results.gains import gains_of

PAGE = Path("docs/results.md")
FIGURE = Path("images/speedups.svg")  # relative to the page
COVERS = {Path("images/speedups-light.svg"): LIGHT, Path("images/speedups-dark.svg"): DARK}  # the README's picture


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "results", help="write the page that answers the questions, from records and documents"
    )
    parser.add_argument(
        "records",
        nargs="+",
        type=Path,
        metavar="RECORD_OR_DOCUMENT",
        help="of pytest bench, or of bench.front: trained, published, supplied",
    )
    parser.add_argument("--out", type=Path, default=in_clone(PAGE), metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def _parted(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Part records from documents of accuracy and throughput by what they hold.

    Raises:
        CorruptRecord: a file holds neither.
    """
    records = []
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptRecord(f"{path} must be JSON, got {error}; measure it again") from error
        if not isinstance(document, dict):
            raise CorruptRecord(f"{path} must hold a record or a document, got {document!r:.40}; leave it out")
        if KEY in document:
            records.append(path)
    return records, [path for path in paths if path not in records]


def run(options: argparse.Namespace) -> int:
    """Draw the figures, write the tables and the page."""
    paths, documents = _parted(options.records)
    records = {path: load(path) for path in paths}
    tiers = read_tiers(documents) if documents else {}
    found, folder = gains_of(records.values()), options.out.parent
    tables = write_tables(options.out, {"gains": found.gains, "dropped": found.dropped})
    asked = [gain for gain in found.gains if gain.scale in ASKED]
    figures = draw_speedups(asked or found.gains, {folder / FIGURE: ANY_PAGE})
    covers = draw_speedups(asked, {folder / path: theme for path, theme in COVERS.items()})
    where = {"tables": tables, "figure": FIGURE if figures else None}
    command = command_line("results", options.records, options.out)
    said = render("results/template.md", {**facts(records, found, tiers.values()), **where, "command": command})
    replace_text(options.out, said)
    for path in (options.out, *(folder / table for table in tables.values()), *figures, *covers):
        print(f"written: {path}")
    if not covers:
        print(f"not drawn: the README's picture, for no record is of {' or '.join(ASKED)} against dense")
    return 0
