"""Commands on records and revisions: python -m bench --help lists them."""

import sys
from collections.abc import Sequence

from bench.commands import ab, baseline, bundle, campaign, compare, history, pages, promote, qualify, report
from bench.commands.command_line import run_command
from fixtures.programs.program import run_program

COMMANDS = (ab, qualify, campaign, baseline, promote, compare, history, report, bundle, pages)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default the process's; return its exit code."""
    return run_command(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(run_program(main))
