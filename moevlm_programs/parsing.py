"""The command line's parser: a line that makes no sense ends 4, as pytest's own usage errors do."""

import argparse
import sys
from typing import NoReturn

from moevlm_programs.codes import USAGE_ERROR
from moevlm_programs.terminal import note, say


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors end with USAGE_ERROR."""

    def print_help(self, _file: object = None) -> None:
        """Print the help as results are printed: argparse's own way drops what cannot be written."""
        say(self.format_help().rstrip())

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and end."""
        note(f"{self.format_usage()}{self.prog}: error: {message}")
        sys.exit(USAGE_ERROR)
