"""export: write a record's figures as other tools read them."""

import argparse
import json
from pathlib import Path

from bench.commands.parsing import Commands
from bench.harness.record import Record, merge, read
from bench.harness.writing import replace_text
from bench.pages.exports.formats import FORMATS
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("export")
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT", help=f"one of {', '.join(FORMATS)}")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="launches of the same scenarios")
    parser.add_argument("--out", type=Path, metavar="FILE", help="takes it; default: it is printed")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, or print, the figures."""
    documents = [read(path) for path in options.records]
    record = Record.from_document(merge(documents) if len(documents) > 1 else documents[0])
    found = FORMATS[options.format](record)
    if not found:
        raise ValueError(f"a record to export as {options.format} must hold such a figure, got none; choose another")
    said = json.dumps(found, indent=1, allow_nan=False)
    if options.out:
        replace_text(options.out, f"{said}\n")
    else:
        say(said)
    return 0
