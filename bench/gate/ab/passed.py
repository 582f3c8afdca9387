"""What stands after --: paths, which narrow, and options of the scenarios; the harness's own would do nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.harness.options import OPTIONS


class Passed(NamedTuple):
    """The user's arguments of pytest."""

    paths: list[str]  # of files or folders of scenarios, or node ids; relative to the root
    options: list[str]


def read_passed(arguments: Sequence[str], *, root: Path, here: Path, scenarios: str, expression: str = "") -> Passed:
    """Part paths from options.

    Args:
        arguments: as they stand after --.
        root: of the clone.
        here: the current folder: paths may be relative to it.
        scenarios: the root's folder of them.
        expression: of --scenarios.

    Raises:
        ValueError: if an option is the harness's, or -k is given beside --scenarios.
    """
    idle = [argument for argument in arguments if argument.partition("=")[0] in OPTIONS]
    if idle:
        raise ValueError(f"options after -- must be the scenarios', got {idle[0]}, the harness's own; leave it out")
    if expression and any(argument.startswith("-k") for argument in arguments):
        raise ValueError("an expression must be given once, got --scenarios and -k; put both into --scenarios")
    placed = [(_path(argument, root, here, scenarios), argument) for argument in arguments]
    return Passed([path for path, _ in placed if path], [argument for path, argument in placed if not path])


def _path(argument: str, root: Path, here: Path, scenarios: str) -> str:
    """Return what an argument names of the scenarios' folder, relative to the root; empty where it names nothing."""
    name, separator, rest = argument.partition("::")
    for folder in (here, root):
        path = (folder / name).resolve()
        if not name.startswith("-") and path.is_relative_to(root / scenarios) and path.exists():
            return f"{path.relative_to(root).as_posix()}{separator}{rest}"
    return ""
