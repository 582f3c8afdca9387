"""Commands on records and revisions: python -m bench --help lists them."""

import argparse
import sys
from collections.abc import Callable, Sequence

from bench.commands import ab, baseline, bundle, campaign, compare, history, pages, promote, qualify, report
from bench.commands.interrupt import end_on_signals
from bench.commands.parsing import Commands, Parser, split
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.reading import INTERRUPTED, USAGE_ERROR
from bench.harness.record import CorruptRecord, RecordWriteError

COMMANDS = (ab, qualify, campaign, baseline, promote, compare, history, report, bundle, pages)
ERROR_CODES: dict[type[Exception], int] = {
    FileNotFoundError: EXIT_CODES[Verdict.MISSING],
    CorruptRecord: EXIT_CODES[Verdict.CORRUPT],
    RecordWriteError: EXIT_CODES[Verdict.FAILED],
    ValueError: USAGE_ERROR,  # after CorruptRecord, which is one
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default the process's; return its exit code, the error's in ERROR_CODES, or INTERRUPTED."""
    ours, passed = split(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    options = parser.parse_args(ours)
    if passed and not hasattr(options, "pytest"):
        parser.error(f"this command runs no pytest and takes nothing after --, got {' '.join(passed)}")
    options.pytest = passed
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except tuple(ERROR_CODES) as error:
        print(f"error: {_said(error)}", file=sys.stderr)
        return next(code for kind, code in ERROR_CODES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print("interrupted: nothing more is judged; finished files are kept", file=sys.stderr)
        return INTERRUPTED


def _said(error: Exception) -> str:
    """Return an error's message; of a file that is not there, in place of the system's words, with a remedy."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{error.filename} must exist, got no such file; check the path"
    return str(error)


def _parser() -> Parser:
    parser = Parser(prog="python -m bench", description="Commands on records of `pytest bench` and on revisions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", action=Commands)
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    end_on_signals()
    sys.exit(main())
