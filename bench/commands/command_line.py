"""A command line from its words to its exit code: which command, what it may raise, and how each ends."""

import argparse
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from bench.commands.parsing import Commands, Parser, split
from bench.commands.terminal import READER_GONE, ReaderGone, note
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.naming import COMMANDS as PROGRAM
from bench.harness.reading import INTERRUPTED, USAGE_ERROR
from bench.harness.record import CorruptRecord
from bench.harness.writing import REMEDIES, RecordWriteError, write_error

GOES_ON = "nothing more is judged; finished files are kept"  # of a command that says no more

ERROR_CODES: dict[type[Exception], int] = {
    FileNotFoundError: EXIT_CODES[Verdict.MISSING],
    CorruptRecord: EXIT_CODES[Verdict.CORRUPT],
    RecordWriteError: EXIT_CODES[Verdict.FAILED],
    ValueError: USAGE_ERROR,  # after CorruptRecord, which is one
}
KNOWN: tuple[type[Exception], ...] = (*ERROR_CODES, OSError)


def run_command(commands: Sequence[ModuleType], arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return its exit code, the error's in ERROR_CODES, INTERRUPTED or READER_GONE.

    Args:
        commands: modules with `add`, which adds to the parser.
        arguments: by default the process's.
    """
    ours, passed = split(sys.argv[1:] if arguments is None else arguments)
    goes_on = GOES_ON
    try:
        options = _options(commands, ours, passed)
        goes_on = getattr(options, "goes_on", GOES_ON)
        command: Callable[[argparse.Namespace], int] = options.run
        return command(options)
    except KNOWN as raised:
        error = in_words(raised)
        note(f"error: {error}")
        return next(code for kind, code in ERROR_CODES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        note(f"interrupted: {goes_on}")
        return INTERRUPTED
    except ReaderGone:
        return READER_GONE


def parser_of(commands: Sequence[ModuleType]) -> Parser:
    """Return the parser of commands, with the defaults of the project that one stands in.

    Raises:
        ValueError: if the project's table breaks a rule.
    """
    parser = Parser(prog=PROGRAM, description="Commands on records of scenarios and on revisions.")
    adding = parser.add_subparsers(required=True, metavar="COMMAND", action=Commands)
    for command in commands:
        command.add(adding)
    return parser


def _options(commands: Sequence[ModuleType], ours: Sequence[str], passed: Sequence[str]) -> argparse.Namespace:
    """Read our arguments; keep pytest's for the commands that take some."""
    parser = parser_of(commands)
    options = parser.parse_args(ours)
    if passed and not hasattr(options, "pytest"):
        parser.error(f"this command runs no pytest and takes nothing after --, got {' '.join(passed)}")
    options.pytest = passed
    return options


def in_words(error: Exception) -> Exception:
    """Return an error that says the rule and the remedy, in place of one in the system's words alone.

    Raises:
        OSError: the error itself, where nobody knows what it means.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return error  # ours
    if error.errno in REMEDIES:
        return write_error(error.filename or "a file", error, must="open")
    if not isinstance(error, FileNotFoundError):
        raise error
    if error.filename is not None:
        return FileNotFoundError(f"{error.filename} must exist, got no such file; check the path")
    if "temporary" in str(error):  # tempfile has tried all places that it knows
        return RecordWriteError(f"a temporary folder must be writable, got none; name one in TMPDIR ({error.strerror})")
    return FileNotFoundError("the current folder must exist, got a removed one; cd into another")
