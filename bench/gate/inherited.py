"""What a fresh process inherits: this one's environment, without what would have its pytest do something else."""

import os
from collections.abc import Mapping

from bench.harness.measuring import XDIST

# What the job around gives its own pytest: options such as -n or -v, plugins, or the lack of the one that times.
OF_ANOTHER_PYTEST = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
ENCODING = {"PYTHONIOENCODING": "utf-8:backslashreplace"}  # whatever the terminal's: we read it


def fresh_environment(**more: str) -> Mapping[str, str]:
    """Return the environment of a fresh process.

    Args:
        more: variables in addition, or in place of inherited ones.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in OF_ANOTHER_PYTEST and not name.startswith(XDIST)
    }
    return {**inherited, **ENCODING, **more}


def import_path(*folders: object) -> dict[str, str]:
    """Return the variable under which folders come first on the path of imports, before those that it names here."""
    return {"PYTHONPATH": os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])}
