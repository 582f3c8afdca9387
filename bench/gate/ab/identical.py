"""Are there two sides at all? The same package with the same dependencies runs the same, and needs no measurement."""

import hashlib
from pathlib import Path
from typing import Any

from bench.gate.ab.brief import Brief
from bench.gate.ab.worktree import SourceTree
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.documents import DocumentError, parse_toml

EVERYTHING = "all scenarios"  # in a scenario's place: nothing need be collected to know it
DEPENDENCIES = ("requires-python", "dependencies", "optional-dependencies", "dynamic")  # of the table `project`
SHOWN = 12  # first digits of the package's hash


def identical(brief: Brief, base: SourceTree, head: SourceTree, package: str) -> list[ScenarioVerdict]:
    """Return the one verdict on sides that are the same; none where they differ, or shall be measured anyway.

    Both run in one environment, so the installed versions are the same. What differs in bench/ and fixtures/ alone does
    not count: both sides run head's.
    """
    is_asked = brief.force or any(brief.side_arguments.values())
    if is_asked or not base.has_package or dependencies(base.tree) != dependencies(head.tree):
        return []
    mine, theirs = (content_hash(side.folder / package) for side in (head, base))
    if mine != theirs:
        return []
    why = (
        f"{package}/ ({mine[:SHOWN]}) and its dependencies are the same in base and head, and both run here: there is "
        "nothing to compare; --force measures"
    )
    return [ScenarioVerdict(scenario=EVERYTHING, verdict=Verdict.IDENTICAL, why=why, num_launches=0)]


def content_hash(folder: Path) -> str:
    """Return the SHA-256 of all files' names and bytes."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def dependencies(tree: Path) -> dict[str, Any]:
    """Return what pyproject.toml says of dependencies, or all of its text where it is no TOML; nothing without one."""
    path = tree / "pyproject.toml"
    if not path.is_file():
        return {}
    content = path.read_bytes()
    try:
        document = parse_toml(content, is_ours=False)
        project, tool = document.get("project", {}), document.get("tool", {})
        named = {name: value for name, value in project.items() if name in DEPENDENCIES}
        dynamic = tool.get("setuptools", {}).get("dynamic", {}).get("dependencies")
    except (DocumentError, AttributeError):  # the second where a value stands in a table's place
        return {"unreadable": content}
    return {**named, "dependency-groups": document.get("dependency-groups"), "dynamic-dependencies": dynamic}


def other_dependencies(base: SourceTree, head: SourceTree) -> list[str]:
    """Say that the sides ask for other dependencies, of which a comparison in one environment shows nothing."""
    if dependencies(base.tree) == dependencies(head.tree):
        return []
    return ["base and head ask for other dependencies in pyproject.toml; both ran with those that are installed here"]
