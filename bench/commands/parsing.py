"""The command line's parser: a line that makes no sense ends 4, as pytest's own usage errors do."""

import argparse
import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias

from bench.harness.reading import USAGE_ERROR


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


def command_line(name: str, paths: Iterable[Path], out: Path) -> str:
    """Return the line that writes a page again, as the page shows it.

    >>> command_line("layers", [Path("a.json"), Path("b.json")], Path("docs/page.md"))
    'python -m bench layers a.json b.json --out docs/page.md'
    """
    return " ".join(["python -m bench", name, *(path.as_posix() for path in paths), "--out", out.as_posix()])


if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[Parser]  # what each command adds itself to
else:
    Commands = argparse._SubParsersAction  # not generic at run time


def take_pytest_options(parser: Parser, example: str) -> None:
    """Have a command take options of `pytest bench` after --."""
    parser.set_defaults(pytest=[])
    parser.epilog = f"After --: options as of pytest bench, {example}"
