"""track: add a run of the main branch to the file that CI keeps of them, from which the page draws history."""

import argparse
from pathlib import Path

from bench.commands.parsing import Commands
from bench.gate.git import git_says
from bench.harness.record import load
from bench.pages.report import machine
from bench.report.tracked import SUFFIX, commit_of, track
from fixtures.programs.terminal import say
from fixtures.programs.visible import visible


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("track")
    parser.add_argument("record", type=Path, metavar="RECORD", help="JSON that a run of scenarios left")
    takes = f"takes the run as a line more, {SUFFIX}; made where there is none"
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help=takes)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Add the record's run, with the first line of its commit's message where git knows it.

    Raises:
        ValueError: the file has another suffix, or this launch.
    """
    if options.data.suffix != SUFFIX:
        raise ValueError(f"--data must end in {SUFFIX}, got {options.data}; name a file of lines")
    record = load(options.record)
    subject = visible(git_says(Path.cwd(), "log", "-1", "--format=%s", commit_of(record), "--"))
    number = track(options.data, record, subject=subject, software=machine(record))
    say(f"tracked: {options.record} as run {number} of {options.data}")
    return 0
