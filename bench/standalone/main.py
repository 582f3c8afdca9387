"""Commands on a project's records and revisions: moevlm-bench --help lists them."""

import sys
from functools import partial

from bench.commands import ab, baseline, compare, history, promote, qualify, report
from bench.commands.command_line import run_command
from fixtures.programs.program import run_program

COMMANDS = (ab, qualify, baseline, promote, compare, history, report)

if __name__ == "__main__":
    sys.exit(run_program(partial(run_command, COMMANDS)))
