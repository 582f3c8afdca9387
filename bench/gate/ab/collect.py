"""Which scenarios are selected: the project's own, as a pytest that would run them says it, and base's."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.gate.ab.brief import Brief
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.worktree import SourceTree
from bench.gate.git import run_git
from bench.gate.inherited import fresh_environment, import_path
from bench.gate.launch import WITHOUT
from bench.harness.measuring import scenario_of
from bench.harness.scratch import scratch
from bench.harness.tied import tied

COLLECTOR = Path(__file__).with_name("collector.py")
SAID_SHOWN = 400  # last characters of a pytest that refuses
ONLY_READ = ("docs", "*.md")  # by people: no scenario changes with it
NOTHING_THERE = 5  # pytest's exit code where it collected nothing


@dataclass(frozen=True, kw_only=True)
class Selected:
    """What is to be compared."""

    node_ids: list[str]  # the project's
    own: Callable[[], OwnTree]  # base's tree, and which of the scenarios stand there
    notes: Sequence[str] = ()  # on what base has and the project does not


class Collected(NamedTuple):
    """What a collecting process left."""

    node_ids: list[str]
    code: int  # pytest's
    said: str  # the end of it


def collect(brief: Brief) -> list[str]:
    """List the node ids of the selected scenarios.

    Raises:
        ValueError: none is selected, or pytest refuses the arguments; with its words.
    """
    found = _run(brief.root, brief.paths or [brief.project.scenarios], brief)
    if found.code or not found.node_ids:
        selected = " ".join(filter(None, [brief.expression, *brief.paths]))
        raise ValueError(f"--scenarios must select a scenario, got {selected!r}; pytest says: {found.said}")
    return found.node_ids


def collect_own(brief: Brief, root: Path) -> OwnTree:
    """List what a tree has of the selected scenarios, with a bench/ of its own, whichever file they stand in there."""
    if not (root / brief.project.scenarios).is_dir():
        return OwnTree(root=root, node_ids={})
    found = _run(root, [brief.project.scenarios], brief)
    why = "" if found.node_ids or found.code in (0, NOTHING_THERE) else f"pytest says: {found.said}"
    return OwnTree(root=root, node_ids={scenario_of(node_id): node_id for node_id in found.node_ids}, why=why)


def collect_both(brief: Brief, base: SourceTree, package: str) -> Selected:
    """Collect the project's scenarios, and at once those of base's tree where that may have others.

    Where only the package differs, base's are asked for only if they are needed: either takes seconds, for imports.

    Raises:
        ValueError: as `collect` does.
    """
    if not may_differ(brief.root, base.commit, package):
        return Selected(node_ids=collect(brief), own=functools.cache(lambda: collect_own(brief, base.tree)))
    with ThreadPoolExecutor() as pool:
        future = pool.submit(collect_own, brief, base.tree)
        node_ids = collect(brief)
        own = future.result()
    return Selected(node_ids=node_ids, own=lambda: own, notes=removed(own, node_ids, brief.paths))


def may_differ(root: Path, commit: str, package: str) -> bool:
    """Tell whether anything but the package and what is only read differs between a commit and the working tree."""
    but = [f":(exclude){name}" for name in (package, *ONLY_READ)]
    return run_git(root, "diff", "--quiet", commit, "--", ".", *but).returncode != 0


def removed(own: OwnTree, node_ids: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Name in a sentence the selected scenarios that base's own tree has, and head no longer; none if there are none.

    Args:
        own: base's.
        node_ids: head's.
        paths: to which the selection is narrowed; none are all.
    """
    if own.why:
        return [f"whether head removed scenarios is not known: base's own cannot be collected, {own.why}"]
    kept = set(map(scenario_of, node_ids))
    of_base = {name: node_id for name, node_id in own.node_ids.items() if name not in kept}
    gone = [name for name, node_id in of_base.items() if not paths or any(_holds(path, node_id) for path in paths)]
    return [f"removed or renamed, for base has them and head does not: {', '.join(gone)}"] if gone else []


def _holds(path: str, node_id: str) -> bool:
    """Tell whether a path, or the node id of a function or of one scenario, holds a scenario.

    >>> [_holds(path, "bench/a.py::f[1]") for path in ("bench", "bench/a.py", "bench/a.py::f", "bench/a.py::f[2]")]
    [True, True, True, False]
    """
    return node_id == path or node_id.startswith((f"{path.rstrip('/')}/", f"{path}::", f"{path}["))


def _run(root: Path, paths: Sequence[str], brief: Brief) -> Collected:
    expression = ["-k", brief.expression] if brief.expression else []
    with scratch("collect") as folder:
        path = folder / "node-ids"
        ours = [str(path), *paths, *expression, *WITHOUT]
        done = subprocess.run(
            tied([sys.executable, "-P", str(COLLECTOR), *ours, "--", *brief.arguments]),
            cwd=root,
            env=fresh_environment(**import_path(root)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            start_new_session=True,
        )
        node_ids = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return Collected(node_ids, done.returncode, (done.stdout + done.stderr).strip()[-SAID_SHOWN:])
