"""Commands on a project's records and revisions: moevlm-bench --help lists them."""

import sys

from bench.commands import ab, baseline, compare, history, promote, qualify, report
from bench.commands.program import run_program

COMMANDS = (ab, qualify, baseline, promote, compare, history, report)

if __name__ == "__main__":
    sys.exit(run_program(COMMANDS))
