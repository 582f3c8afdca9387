"""results: write the page that answers the questions, with its figure, from records."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, command_line
from bench.harness.record import KEY, CorruptRecord, load, replace_text
from bench.pages.pareto.documents import read_tiers
from bench.pages.plots.results import COVER_SCALES, draw_covers, draw_speedups
from bench.pages.plots.style import DARK, LIGHT
from bench.pages.results.gains import gains_of
from bench.pages.results.page import page

PAGE = Path("docs/results.md")
FIGURES = (Path("images/speedups.svg"), Path("images/speedups.png"))  # relative to the page
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
    """Draw the figures and write the page."""
    paths, documents = _parted(options.records)
    records = {path: load(path) for path in paths}
    command = command_line("results", options.records, options.out)
    fronts = read_tiers(documents) if documents else {}
    found, figures = gains_of(records.values()), [options.out.parent / figure for figure in FIGURES]
    said = page(records, found, fronts, FIGURES, command)
    draw_speedups(found.gains, figures)
    covers = draw_covers(found.gains, {options.out.parent / path: theme for path, theme in COVERS.items()})
    replace_text(options.out, said)
    for path in (options.out, *figures, *covers):
        print(f"written: {path}")
    if not covers:
        print(f"not drawn: the README's picture, for no record is of {' or '.join(COVER_SCALES)} against dense")
    return 0
