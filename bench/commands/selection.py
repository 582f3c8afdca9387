"""Which scenarios of which project a command compares: what `ab` and `qualify` read of their command line alike."""

import argparse
from pathlib import Path
from typing import NamedTuple

from bench.commands.clone import clone_root, measured_project
from bench.gate.ab.naming import by_benchmark
from bench.gate.ab.passed import Passed, read_passed
from bench.harness.project import ProjectTable


class Selection(NamedTuple):
    """The project, pytest's -k, and pytest's arguments that stand after --."""

    root: Path
    project: ProjectTable
    expression: str
    passed: Passed


def read_selection(options: argparse.Namespace) -> Selection:
    """Read it from --package, --scenarios and what stands after --.

    Raises:
        ValueError: outside a project, without a package, or if an argument would do nothing.
    """
    root, project = clone_root(), measured_project(options.package)
    passed = read_passed(
        options.pytest, root=root, here=Path.cwd(), scenarios=project.scenarios, expression=options.scenarios
    )
    return Selection(root, project, by_benchmark(options.scenarios, root / project.scenarios), passed)
