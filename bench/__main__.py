"""Commands on records and revisions: python -m bench --help lists them."""

import sys
from collections.abc import Sequence

from bench.commands.command_line import run_command
from bench.commands.listing import COMMANDS
from fixtures.programs.program import run_program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default the process's; return its exit code."""
    return run_command(COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(run_program(main))
