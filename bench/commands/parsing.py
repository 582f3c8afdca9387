"""What command lines of the commands share: our part and pytest's, and options that several take."""

import argparse
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bench.commands.clone import in_clone, project_table
from bench.commands.listing import COMMANDS
from fixtures.programs.parsing import Parser


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


if TYPE_CHECKING:
    SubParsers: TypeAlias = argparse._SubParsersAction[Parser]
else:
    SubParsers = argparse._SubParsersAction  # not generic at run time


class Commands(SubParsers):
    """What each command adds itself to."""

    def add_parser(self, name: str) -> Parser:  # type: ignore[override]
        """Add a command, whose own --help begins with what the list of commands says of it."""
        said = COMMANDS[name].help
        return super().add_parser(name, help=said, description=f"{said[0].upper()}{said[1:]}.")


def take_pytest_options(parser: Parser, example: str) -> None:
    """Have a command take options of the scenarios' pytest after --."""
    parser.set_defaults(pytest=[])
    parser.epilog = f"After -- stand options of pytest, like {example}"


def add_baselines(parser: Parser) -> None:
    """Have a command take the folder of baselines."""
    where = "where promoted baselines lie; default: %(default)s"
    parser.add_argument(
        "--baselines", type=Path, default=in_clone(project_table().baselines), metavar="DIR", help=where
    )


def text(argument: str) -> str:
    """Read words of a command line that are kept, and name no file: UTF-8, whatever the locale.

    Raises:
        ArgumentTypeError: they are in another encoding.
    """
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError as error:
        raise argparse.ArgumentTypeError(f"must be UTF-8, got {argument!a}; write it so") from error


def add_package(parser: Parser) -> None:
    """Have a command take the name of what is measured."""
    named = project_table().package
    default = named or "none; [tool.moevlm-bench] can name it"
    what = f"what base and head differ in, by the name that is imported; default: {default}"
    parser.add_argument("--package", default=named, metavar="NAME", help=what)


def add_scenarios(parser: Parser) -> None:
    """Have a command take which scenarios are meant."""
    which = "pytest's -k, in which a benchmark's name, like decode, is that benchmark alone; default: all"
    parser.add_argument("--scenarios", default="", metavar="EXPR", help=which)


def add_allow_inconclusive(parser: Parser) -> None:
    """Have a command let through, on demand, what it could not judge."""
    allow = "what cannot be judged does not end 11, unless it looks slower"
    parser.add_argument("--allow-inconclusive", action="store_true", help=allow)
