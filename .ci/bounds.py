"""The bounds of the dependencies in both pyproject.toml, for who moves them: .github/CONTRIBUTING.md says when.

It needs `packaging` alone, for it runs before anything is installed. `python .ci/bounds.py --help` lists what it does.
"""

import argparse
import re
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
STANDALONE = Path(__file__).parents[1] / "bench" / "standalone" / "pyproject.toml"  # names its build's alone
EXTRA = "test"  # what the README's commands install beside the dependencies
LOWER, UPPER = ">=", "<="  # both inclusive: versions that passed
AFTER_UPPER = re.compile(rf"(?<={UPPER})[^,;\s]+")


def oldest(pyproject: str) -> str:
    """Pin what the README's commands install to its lower bounds, as constraints for pip."""
    return _lines(_with(one, f"=={_bound(one, LOWER)}") for one in _installed_by_readme(pyproject))


def unbounded(pyproject: str) -> str:
    """List what the README's commands install without upper bounds, as requirements for pip."""
    kept = (
        (one, [str(part) for part in one.specifier if part.operator != UPPER])
        for one in _installed_by_readme(pyproject)
    )
    return _lines(_with(one, ",".join(parts)) for one, parts in kept)


def beyond(pyproject: str) -> str:
    """Draw a table of what is installed here beyond its upper bound."""
    rows = [
        f"| {one.name} | {bound} | {found} |"
        for one in _installed_by_readme(pyproject)
        if (found := _installed(one.name)) and found > (bound := _bound(one, UPPER))
    ]
    return "\n".join(["| package | newest that passed | installed |", "|---|---|---|", *rows]) if rows else ""


def raised(pyproject: str) -> str:
    """Raise each upper bound to the version that is installed here; what is older or absent here stays."""
    for line in _every_requirement(pyproject):
        requirement = Requirement(line)
        found = _installed(requirement.name)
        if UPPER in line and found and found > _bound(requirement, UPPER):
            pyproject = pyproject.replace(f'"{line}"', f'"{AFTER_UPPER.sub(str(found), line)}"')
    return pyproject


def _every_requirement(pyproject: str) -> list[str]:
    read = tomllib.loads(pyproject)
    extras: dict[str, list[str]] = read["project"]["optional-dependencies"]
    own = [*read["build-system"]["requires"], *read["project"].get("dependencies", ())]
    return [*own, *(line for lines in extras.values() for line in lines)]


def _installed_by_readme(pyproject: str) -> list[Requirement]:
    project: dict[str, Any] = tomllib.loads(pyproject)["project"]
    return [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"][EXTRA])]


def _bound(requirement: Requirement, operator: str) -> Version:
    """Return a requirement's bound.

    Raises:
        ValueError: if it has none, or several.
    """
    found = [one.version for one in requirement.specifier if one.operator == operator]
    if len(found) != 1:
        raise ValueError(f"a requirement must have one bound {operator}VERSION, got {requirement}; write it so")
    return Version(found[0])


def _with(requirement: Requirement, specifier: str) -> Requirement:
    requirement.specifier = SpecifierSet(specifier)
    return requirement


def _installed(name: str) -> Version | None:
    """Return the version that is installed here, without the name of its build (2.13.0+cpu is 2.13.0)."""
    try:
        return Version(Version(version(name)).public)
    except PackageNotFoundError:
        return None


def _lines(requirements: Iterable[Requirement]) -> str:
    return "\n".join(map(str, requirements))


PRINTED: dict[str, Callable[[str], str]] = {"oldest": oldest, "unbounded": unbounded, "beyond": beyond}
WRITTEN: dict[str, Callable[[str], str]] = {"raise": raised}


def main(arguments: list[str] | None = None) -> None:
    """Do what is asked with pyproject.toml.

    Args:
        arguments: the command line's; None: this process's.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in {**PRINTED, **WRITTEN}.items():
        commands.add_parser(name, help=function.__doc__)
    command = parser.parse_args(arguments).command
    if command in PRINTED:
        print(PRINTED[command](PYPROJECT.read_text(encoding="utf-8")))
        return
    for path in (PYPROJECT, STANDALONE):
        path.write_text(WRITTEN[command](path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
