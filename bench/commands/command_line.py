"""A command line from its words to its exit code: which command, what it may raise, and how each ends."""

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from importlib import import_module

from bench.commands.listing import Listed
from bench.commands.parsing import Commands, split
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.documents import CorruptRecord
from bench.harness.naming import COMMANDS as PROGRAM
from fixtures.programs import ending
from fixtures.programs.parsing import Parser

GOES_ON = "nothing more is judged; finished files are kept"  # of a command that says no more

ERROR_CODES: ending.Codes = {
    CorruptRecord: EXIT_CODES[Verdict.CORRUPT],  # before ValueError, which it is
    **ending.ERROR_CODES,
    FileNotFoundError: EXIT_CODES[Verdict.MISSING],
}


def run_command(commands: Mapping[str, Listed], arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code, or that of how it ended, by ERROR_CODES.

    Args:
        commands: some of those listed; their modules have `add`, which adds to the parser.
        arguments: by default the process's.
    """
    ours, passed = split(sys.argv[1:] if arguments is None else arguments)
    return ending.ended(partial(_run, commands, ours, passed), ERROR_CODES)


def _run(commands: Mapping[str, Listed], ours: Sequence[str], passed: Sequence[str]) -> int:
    """Run a command; where it is interrupted, its own words say how to go on.

    Raises:
        KeyboardInterrupt: with these words.
    """
    options = _options(commands, ours, passed)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(getattr(options, "goes_on", GOES_ON)) from None


def parser_of(commands: Mapping[str, Listed], chosen: Collection[str] | None = None) -> Parser:
    """Return the parser of commands, with the defaults of the project that one stands in.

    Args:
        chosen: of which commands the arguments are wanted, None: of all; the others are listed, and not imported.

    Raises:
        ValueError: if the project's table breaks a rule.
    """
    parser = Parser(prog=PROGRAM, description="Commands on records of scenarios and on revisions.")
    adding = parser.add_subparsers(required=True, metavar="COMMAND", action=Commands)
    modules = {listed.module for name, listed in commands.items() if chosen is None or name in chosen}
    for name, listed in commands.items():
        if listed.module not in modules:
            adding.add_parser(name)
        elif name not in adding.choices:  # a module adds all of its commands
            import_module(f"{__package__}.{listed.module}").add(adding)
    return parser


def _options(commands: Mapping[str, Listed], ours: Sequence[str], passed: Sequence[str]) -> argparse.Namespace:
    """Read our arguments; keep pytest's for the commands that take some."""
    parser = parser_of(commands, ours[:1])
    options = parser.parse_args(ours)
    if passed and not hasattr(options, "pytest"):
        parser.error(f"this command runs no pytest and takes nothing after --, got {' '.join(passed)}")
    options.pytest = passed
    return options
