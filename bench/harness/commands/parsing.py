"""The command line's parser: a line that makes no sense ends 4, as pytest's own usage errors do."""

import argparse
import itertools
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias

import pytest

from bench.harness.options import parse_slowdowns

USAGE_ERROR = 4  # pytest.ExitCode.USAGE_ERROR; argparse's own is 2, which pytest uses for an interrupted run
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}  # seconds
DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smh]?)")


class Split(NamedTuple):
    """A command line in two parts."""

    ours: list[str]
    pytest: list[str]  # what stands after --


def split(arguments: Sequence[str]) -> Split:
    """Part our arguments from pytest's.

    >>> split(["ab", "--base", "main", "--", "--scale", "tiny"])
    Split(ours=['ab', '--base', 'main'], pytest=['--scale', 'tiny'])
    """
    ours = list(itertools.takewhile(lambda argument: argument != "--", arguments))
    return Split(ours, list(arguments[len(ours) + 1 :]))


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors end with USAGE_ERROR."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and end."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: error: {message}\n")


if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[Parser]  # what each command adds itself to
else:
    Commands = argparse._SubParsersAction  # not generic at run time


def take_pytest_options(parser: Parser, example: str) -> None:
    """Have a command take options of `pytest bench` after --."""
    parser.set_defaults(pytest=[])
    parser.epilog = f"After --: options as of pytest bench, {example}"


def seconds(text: str) -> float:
    """Read a duration.

    Raises:
        argparse.ArgumentTypeError: if it is not a number above 0 with one of UNITS.

    >>> seconds("90s"), seconds("20m"), seconds("1.5h"), seconds("90")
    (90.0, 1200.0, 5400.0, 90.0)
    """
    found = DURATION.fullmatch(text)
    value = float(found["number"]) * UNITS[found["unit"]] if found else 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"a time must be above 0, in s, m or h, like 90s or 20m, got {text!r}")
    return value


def slowdowns(text: str) -> dict[str, float]:
    """Read what --inject takes.

    Raises:
        argparse.ArgumentTypeError: if it is not ARM=FACTOR,... with factors of at least 1.

    >>> slowdowns("moe=1.05")
    {'moe': 1.05}
    """
    try:
        return parse_slowdowns(text)
    except pytest.UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
