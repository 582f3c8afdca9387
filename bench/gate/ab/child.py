"""Entry of a worker process: take the measured package from one side's folder, then be pytest.

    python -m bench.gate.ab.child PACKAGE FOLDER [pytest's arguments]

The package is imported before pytest changes the import path, so everything that imports it later gets this one.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Run pytest with a package that comes from a folder; return pytest's exit code."""
    package, folder, *rest = arguments
    import_from(package, Path(folder))
    import pytest

    return int(pytest.main(rest))


def import_from(package: str, folder: Path) -> None:
    """Import a package from a folder and from nowhere else; its modules follow it, whatever the import path says.

    Raises:
        ImportError: if the folder does not hold it, or it cannot be imported.
    """
    if PathFinder.find_spec(package, [str(folder)]) is None:
        raise ImportError(f"this side has no package {package!r}")
    sys.path.insert(0, str(folder))
    importlib.import_module(package)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # pytest has torn its fixtures down; taking torch apart costs each launch a second or more
