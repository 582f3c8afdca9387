"""The project that a command is run in, a clone or another: where its pytest starts, and where what it keeps lies."""

import os
from dataclasses import replace
from pathlib import Path

from bench.harness.project import FILE, NAME, ProjectTable, find_root, read_project


def clone_root() -> Path:
    """Return the root of the project that holds the current folder.

    Raises:
        ValueError: if none does, or its pyproject.toml cannot be read.
    """
    found = find_root(Path.cwd())
    if found is None:
        table = f"[tool.{NAME}]"
        raise ValueError(
            f"this command must be run in a project, a folder whose {FILE} has {table}, got {Path.cwd()}; cd into one"
        )
    return found


def in_clone(path: Path | str) -> Path:
    """Return where a command's default, relative to the project's root, lies as seen from here; outside one, as it is.

    Raises:
        ValueError: if the project's pyproject.toml cannot be read.
    """
    root = find_root(Path.cwd())
    return Path(os.path.relpath(root / path)) if root else Path(path)


def project_table() -> ProjectTable:
    """Return what the project of the current folder says of itself; outside one, the defaults.

    Raises:
        ValueError: if a rule of the table is broken.
    """
    root = find_root(Path.cwd())
    return read_project(root) if root else ProjectTable()


def measured_project(package: str) -> ProjectTable:
    """Return what the project says of itself, with a package that the command line may name.

    Raises:
        ValueError: if neither names one, or a rule of the table is broken.
    """
    if not package:
        raise ValueError(
            f'a package must be named, got none; give --package NAME, or package = "NAME" in [tool.{NAME}] of {FILE}'
        )
    return replace(project_table(), package=package)
