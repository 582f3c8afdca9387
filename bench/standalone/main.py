"""Commands on a project's records and revisions: moevlm-bench --help lists them."""

import sys

from bench.commands import ab, baseline, compare, history, promote, qualify, report
from bench.commands.command_line import run_command
from bench.commands.interrupt import end_on_signals
from bench.commands.terminal import print_in_any_encoding

COMMANDS = (ab, qualify, baseline, promote, compare, history, report)

if __name__ == "__main__":
    end_on_signals()
    print_in_any_encoding()
    sys.exit(run_command(COMMANDS))
