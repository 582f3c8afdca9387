"""What the measured operations run on: libraries, and the project's own kernels as far as this machine has them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from bench.harness.environment import PACKAGES, versions


class Backend(NamedTuple):
    """What one kind of operations can run on here."""

    runs: Sequence[str]  # as in ("generic", "dot", "tiles"); empty where something slower stands in
    lost: str = ""  # why there is no more, as in "a C++ compiler must be there (g++, clang++ or CXX), found none"


class RanOn(NamedTuple):
    """What a process ran on."""

    libraries: Mapping[str, str]  # package -> version
    backends: Mapping[str, Backend]  # by the project's names


def ran_on(config: pytest.Config) -> RanOn:
    """Return what this process runs on; a project without kernels of its own names no backend."""
    asked = config.hook.pytest_measured_backends(config=config)
    return RanOn(libraries_of(versions()), read_backends(asked or {}))


def read_backends(plain: Mapping[str, Any]) -> dict[str, Backend]:
    """Return backends as JSON keeps them: by name a list of names, and why there are no more.

    >>> read_backends({"cpu_kernels": [["generic"], ""]})
    {'cpu_kernels': Backend(runs=('generic',), lost='')}
    """
    return {name: Backend(tuple(runs), lost) for name, (runs, lost) in plain.items()}


def libraries_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the packages that compute, of a fingerprint or of `versions`."""
    return {package: found[package] for package in PACKAGES if package in found}
