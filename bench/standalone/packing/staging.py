"""The source of `moevlm-bench` as an ordinary project: what is shipped of the clone, renamed, and pyproject.toml."""

import ast
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .renaming import PACKAGE, RENAMED, imported, renamed, rewrite

CLONE = Path(__file__).parents[3]
OWN = Path(__file__).parents[1]
WHOLE = ("bench/harness", "bench/gate")  # folders: workers are started by their modules' names, which nothing imports
PLUGINS = ("bench.plugin", "bench.defaults")
DATA = ("bench/report/static",)  # folders that modules read, copied as they are
MAIN = OWN / "main.py"  # becomes PACKAGE.__main__
SCRIPT = CLONE / "bench" / "moevlm-bench"
IN_TREE = 'build-backend = "packing.backend"\nbackend-path = ["."]\n'
ORDINARY = 'build-backend = "setuptools.build_meta"\n'  # which is all that an unpacked source distribution needs


def stage(folder: Path) -> None:
    """Lay out the source in an empty folder.

    Raises:
        ValueError: what is shipped imports what is not, or in a form that cannot be renamed.
    """
    modules = shipped()
    for module, path in modules.items():
        _write(folder / _file(renamed(module), path.name == "__init__.py"), path)
    _write(folder / PACKAGE / "__main__.py", MAIN)
    for name in DATA:
        shutil.copytree(CLONE / name, folder / name.replace("bench", PACKAGE, 1))
    (folder / PACKAGE / "py.typed").touch()
    sources = [MAIN, *modules.values()]
    clone = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (folder / "VERSION").write_text(clone["version"])
    (folder / "requirements.txt").write_text("\n".join(requirements(sources, clone)) + "\n")
    text = (OWN / "pyproject.toml").read_text(encoding="utf-8")
    if IN_TREE not in text:
        raise ValueError(f"{OWN / 'pyproject.toml'} must hold {IN_TREE!r}, got another backend; mend one of the two")
    (folder / "pyproject.toml").write_text(text.replace(IN_TREE, ORDINARY))
    for path in (OWN / "README.md", CLONE / "LICENSE", SCRIPT):
        shutil.copy(path, folder)


def shipped() -> dict[str, Path]:
    """Return modules of the clone by name, with their files: WHOLE, PLUGINS, MAIN's commands, and what these import."""
    whole = [_module(path) for folder in WHOLE for path in sorted((CLONE / folder).rglob("*.py"))]
    main = MAIN.read_text(encoding="utf-8")
    waiting = [*whole, *PLUGINS, *_commands(main), *imported(main)]
    found: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        path = _path(module)
        if path is None or module in found:
            continue
        if renamed(module) == module:
            raise ValueError(f"what is shipped must import of the clone {', '.join(RENAMED)} alone, got {module}")
        found[module] = path
        parents = module.split(".")[:-1]
        own_parents = [".".join(parents[: i + 1]) for i in range(len(parents))]
        waiting += [parent for parent in own_parents if renamed(parent) != parent]
        waiting += imported(path.read_text(encoding="utf-8"))
    return found


def _commands(main: str) -> list[str]:
    """Return the modules that MAIN takes commands from: it imports one when that is chosen, by its name."""
    named = {ast.unparse(node.targets[0]): node.value for node in ast.parse(main).body if isinstance(node, ast.Assign)}
    return [f"bench.commands.{name}" for name in ast.literal_eval(named["MODULES"])]


def requirements(sources: Iterable[Path], clone: dict[str, Any]) -> list[str]:
    """Return the clone's requirements, with its bounds, of what the sources import."""
    lines = [*clone["dependencies"], *clone["optional-dependencies"]["test"]]
    by_name = {_normal(re.split(r"[^\w.-]", line)[0]): line for line in lines}
    roots = {name.partition(".")[0] for path in sources for name in imported(path.read_text(encoding="utf-8"))}
    return sorted(by_name[name] for root in roots - sys.stdlib_module_names if (name := _normal(root)) in by_name)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _module(path: Path) -> str:
    parts = path.relative_to(CLONE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _path(module: str) -> Path | None:
    """Return a module's file in the clone; None for a name in one, and for another project's module."""
    stem = CLONE.joinpath(*module.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _file(module: str, is_package: bool) -> Path:
    path = Path(*module.split("."))
    return path / "__init__.py" if is_package else path.with_suffix(".py")


def _write(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8")
    target.write_text(rewrite(text, str(source.relative_to(CLONE))), encoding="utf-8")
