"""Commands on a project's records and revisions: moevlm-bench --help lists them."""

import sys
from functools import partial

from bench.commands.command_line import run_command
from bench.commands.listing import COMMANDS as LISTED
from fixtures.programs.program import run_program

# Read by what packs them, too.
MODULES = ("ab", "qualify", "baseline", "promote", "compare", "history", "report", "track", "export")
COMMANDS = {name: listed for name, listed in LISTED.items() if listed.module in MODULES}

if __name__ == "__main__":
    sys.exit(run_program(partial(run_command, COMMANDS)))
