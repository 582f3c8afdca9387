"""`ab` from end to end: a slower MoE, slower shared code and a slower dense twin are each put down to what changed.

Workers, launches, worktrees and decision are real; what an arm takes is what the package of its side says, so nothing
depends on the machine's load.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench.plugin.fake_project import write_package, write_project
from tests.bench.plugin.fresh_pytest import run_module

pytestmark = pytest.mark.long

SLOWER = {1: {"moe": 1.3}, 2: {"moe": 1.3, "dense": 1.3}, 3: {"dense": 1.3}}
FORKED = """
from tests.bench.plugin.forked_workers import use_forked_workers

use_forked_workers()
"""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Compare a change of three scenarios with the commit before it; return what `ab` leaves, with its exit code."""
    folder = write_project(tmp_path_factory.mktemp("attribution") / "project")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    write_package(folder, SLOWER)
    git(folder, "commit", "-qam", "slower")
    options = ("ab", "--base=HEAD~1", "--head=HEAD", "--out=out", "--budget=10000s")
    ended = run_module(folder, "bench", *options, first=FORKED)
    assert (folder / "out" / "ab.json").exists(), ended.said
    found = json.loads((folder / "out" / "ab.json").read_text())
    return {"code": ended.code, **{said["scenario"]: (said["verdict"], said["where"]) for said in found["verdicts"]}}


@pytest.mark.parametrize(("size", "where"), [(1, "MoE"), (2, "shared code"), (3, "dense")])
def test_a_slowdown_is_put_down_to_what_changed(judged: dict[str, Any], size: int, where: str) -> None:
    assert judged[f"bench_x[{size}]"] == ("REGRESSED", where)


def test_what_did_not_change_is_not_blamed(judged: dict[str, Any]) -> None:
    assert judged["bench_x[4]"] == ("OK", "")


def test_the_run_ends_10(judged: dict[str, Any]) -> None:
    assert judged["code"] == 10
