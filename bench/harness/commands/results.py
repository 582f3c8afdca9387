"""results: write the page that answers the questions, with its figure, from records."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from bench.harness.commands.parsing import Commands
from bench.harness.pareto.documents import read_tiers
from bench.harness.plot.results import draw_speedups
from bench.harness.record import KEY, CorruptRecord, load, replace_text
from bench.harness.results.cells import cells_of
from bench.harness.results.page import page

PAGE = Path("docs/results.md")
FIGURES = (Path("images/speedups.svg"), Path("images/speedups.png"))  # relative to the page


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("results", help="write the page that answers the questions, from records")
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="of pytest bench; and documents of the pareto page"
    )
    parser.add_argument("--out", type=Path, default=PAGE, metavar="FILE", help="default: %(default)s")
    parser.set_defaults(run=run)


def write(paths: Sequence[Path], out: Path) -> str:
    """Return the page.

    Args:
        paths: Records, and documents of accuracy and throughput.
        out: Where the page is to be.
    """
    records, documents = _parted(paths)
    names = " ".join(path.as_posix() for path in paths)
    command = f"python -m bench.harness results {names} --out {out.as_posix()}"
    fronts = read_tiers(documents) if documents else {}
    return page({path: load(path) for path in records}, fronts, FIGURES, command)


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
    """Draw the figure and write the page."""
    said = write(options.records, options.out)
    figures = [options.out.parent / figure for figure in FIGURES]
    draw_speedups(cells_of(map(load, _parted(options.records)[0])).cells, figures)
    replace_text(options.out, said)
    for path in (options.out, *figures):
        print(f"written: {path}")
    return 0
