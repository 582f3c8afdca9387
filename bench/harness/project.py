"""What a project says of itself in [tool.moevlm-bench] of its pyproject.toml: all that the suite knows of it.

[tool.moevlm-bench]
package = "tinymoe"       # what is measured, by the name that is imported: base and head of `ab` differ in it
source = "src"            # optional, default ".": the folder that holds the package
scenarios = "benchmarks"  # optional, default "bench": the folder of bench_*.py
baselines = "baselines"   # optional: the folder of promoted records
"""

import functools
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from bench.harness.documents import MAX_TOML_BYTES, DocumentError, content_of, document_of, parse_toml

FILE = "pyproject.toml"
NAME = "moevlm-bench"  # of the table under [tool]


@dataclass(frozen=True, kw_only=True)
class ProjectTable:
    """The table, checked; paths are relative to the file's folder.

    Raises:
        ValueError: a package is no name that can be imported, or a path leaves the folder.
    """

    package: str = ""  # empty where it is left to the command line
    source: str = "."
    scenarios: str = "bench"
    baselines: str = "baselines"

    def __post_init__(self) -> None:
        if self.package and not self.package.isidentifier():
            raise ValueError(
                f"package must be the name that is imported, without dots, got {self.package!r}; correct the name"
            )
        for name in ("source", "scenarios", "baselines"):
            path = PurePosixPath(getattr(self, name))
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(
                    f"{name} must be a folder of the project, got {str(path)!r}; name it as seen from there"
                )


KEYS = [field.name for field in fields(ProjectTable)]


def find_root(here: Path) -> Path | None:
    """Return the nearest folder, this one or above, whose pyproject.toml has the table, else any pyproject.toml."""
    folders = [folder for folder in (here, *here.parents) if (folder / FILE).is_file()]
    return next((folder for folder in folders if _table(folder / FILE) is not None), next(iter(folders), None))


def read_project(root: Path) -> ProjectTable:
    """Read the table of a project's root; its defaults where there is none.

    Raises:
        ValueError: the file is not TOML, a key is unknown, or a value breaks its rule; with the remedy.
    """
    path = root / FILE
    table = (_table(path) if path.is_file() else None) or {}
    where = f"{path}, [tool.{NAME}]"
    if not isinstance(table, dict):
        raise ValueError(f'{where} must be a table, got {table!r:.60}; write {KEYS[0]} = "NAME" below it')
    for key, value in table.items():
        if key not in KEYS:
            raise ValueError(f"{where}: keys must be among {', '.join(KEYS)}, got {key!r}; correct or drop it")
        if not isinstance(value, str) or not value:
            raise ValueError(f"{where}: {key} must be a text, got {value!r:.60}; write it in quotes")
    try:
        return ProjectTable(**table)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _table(path: Path) -> Any:
    """Return what a file has under the table's name, or None.

    Raises:
        DocumentError: it is not TOML.
    """
    with document_of(path, remedy="mend it", error=DocumentError):
        return _table_of(content_of(path, MAX_TOML_BYTES))


@functools.lru_cache(maxsize=4)  # each option with a default of the project's asks, and each command of all
def _table_of(content: bytes) -> Any:
    tool = parse_toml(content, is_ours=False).get("tool", {})
    return tool.get(NAME) if isinstance(tool, dict) else None
