"""newest.yml as a runner runs it: its steps in a shell, with stand-ins for GitHub's command, pip and pytest."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "newest.yml").read_text())["jobs"]
MARKER = JOBS["report"]["env"]["MARKER"]
OURS = {"number": 7, "user": {"login": "github-actions[bot]"}, "pull_request": None, "body": f"{MARKER}\nold"}
NOT_OURS = [
    {**OURS, "number": 1, "user": {"login": "someone"}},
    {**OURS, "number": 2, "pull_request": {"url": "x"}},
    {**OURS, "number": 3, "body": "something else"},
    {**OURS, "number": 4, "body": None},
]
# Stands in for GitHub's command: notes each call with the body that it sends; issues are those of a file, asked by jq.
GH = f"""#!{sys.executable}
import json, pathlib, subprocess, sys
here, words = pathlib.Path(__file__).parent, sys.argv[1:]
if words[:2] == ["run", "download"]:
    if not (here / "artifact").exists():
        sys.exit("no artifact matches")
    folder = pathlib.Path(words[words.index("--dir") + 1]) / "newest-3.13"
    folder.mkdir()
    (folder / "newest.md").write_text((here / "artifact").read_text())
elif "--jq" in words:
    jq = ["jq", "-r", words[words.index("--jq") + 1], str(here / "issues.json")]
    sys.exit(subprocess.run(jq).returncode)
else:
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    body = pathlib.Path(fields.pop("body").removeprefix("@")).read_text()
    with (here / "asked").open("a") as asked:
        asked.write(json.dumps([words[words.index("--method") + 1], words[3], fields, body]) + "\\n")
"""


def step(job: str, name: str) -> str:
    (found,) = (one["run"] for one in JOBS[job]["steps"] if one.get("name") == name)
    return str(found)


def stand_in(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def run(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner's `shell: bash` does, with the stand-ins of a folder, which is also where it runs."""
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    environment = {**os.environ, **own, **environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def reported(
    folder: Path, result: str, *, issues: list[dict[str, Any]], artifact: str | None = "### Python 3.13: failure"
) -> list[tuple[str, str, Mapping[str, str], str]]:
    """Run the job that reports; return what it asked GitHub to write: method, path, fields and body."""
    stand_in(folder, "gh", GH)
    (folder / "issues.json").write_text(json.dumps(issues))
    if artifact is not None:
        (folder / "artifact").write_text(artifact)
    known = {"MARKER": MARKER, "RESULT": result, "RUN_ID": "42", "GH_REPO": "o/r", "GITHUB_SERVER_URL": "https://hub"}
    for one in JOBS["report"]["steps"]:
        done = run(folder, one["run"], **known)
        assert done.returncode == 0, done.stderr
    lines = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    return [tuple(json.loads(line)) for line in lines]


needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="the stand-in for GitHub's command needs jq")


@needs_jq
def test_what_broke_becomes_an_issue_that_begins_with_the_marker(tmp_path: Path) -> None:
    ((method, path, fields, body),) = reported(tmp_path, "failure", issues=NOT_OURS)
    assert (method, path, set(fields)) == ("POST", "repos/o/r/issues", {"title"})
    assert body.startswith(f"{MARKER}\n")
    assert "https://hub/o/r/actions/runs/42" in body
    assert body.endswith("\n### Python 3.13: failure")


@needs_jq
@pytest.mark.parametrize(("result", "state"), [("failure", "open"), ("success", "closed")])
def test_the_open_issue_is_brought_up_to_date_and_closed_when_all_passes(
    tmp_path: Path, result: str, state: str
) -> None:
    ((method, path, fields, _),) = reported(tmp_path, result, issues=[*NOT_OURS, OURS])
    assert (method, path, fields) == ("PATCH", "repos/o/r/issues/7", {"state": state})


@needs_jq
def test_nothing_is_written_where_all_passes_and_no_issue_is_open(tmp_path: Path) -> None:
    assert reported(tmp_path, "success", issues=NOT_OURS) == []


@needs_jq
def test_a_run_that_left_nothing_is_reported_too(tmp_path: Path) -> None:
    ((method, *_),) = reported(tmp_path, "failure", issues=[], artifact=None)
    assert method == "POST"


@pytest.mark.parametrize("name", ["pytest bench", "pytest"])
@pytest.mark.parametrize(("code", "left"), [(0, []), (1, ["FAILED something\n"])])
def test_a_step_that_fails_leaves_its_log_and_one_that_passes_none(
    tmp_path: Path, name: str, code: int, left: list[str]
) -> None:
    (tmp_path / "broken").mkdir()
    stand_in(tmp_path, "pytest", f"#!/bin/sh\necho FAILED something\nexit {code}\n")
    assert run(tmp_path, step("try", name)).returncode == code
    assert [log.read_text() for log in (tmp_path / "broken").iterdir()] == left


@pytest.mark.parametrize(("fails", "logs"), [("", []), ("-r", ["install"]), ("--no-deps", ["install"])])
def test_all_is_installed_without_upper_bounds_or_the_log_is_left(tmp_path: Path, fails: str, logs: list[str]) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    stand_in(tmp_path, "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    stand_in(
        tmp_path,
        "pip",
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase "$*" in *"{fails or "never"}"*) exit 1;; esac\n',
    )
    assert run(tmp_path, step("try", "install without upper bounds")).returncode == bool(fails)
    assert [log.name for log in (tmp_path / "broken").iterdir()] == logs
    assert "<=" not in (tmp_path / "requirements.txt").read_text()
    assert "transformers>=" in (tmp_path / "requirements.txt").read_text()
    assert f"-r {tmp_path}/requirements.txt" in (tmp_path / "asked").read_text()


def test_what_broke_is_said_with_the_end_of_its_log_and_cannot_end_its_own_fence(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    lines = [*(f"line {i}" for i in range(99)), "~~~~", "@everyone", "FAILED tests/test_x.py"]
    (tmp_path / "broken" / "pytest bench").write_text("\n".join([*lines, ""]))
    done = run(tmp_path, step("try", "say what broke"), PYTHON="3.13", STATUS="failure")
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "newest.md").read_text()
    assert said.startswith("### Python 3.13: failure\n")
    assert said.count("~~~~") == 2
    assert said.split("~~~~")[1].endswith("line 98\n\n@everyone\nFAILED tests/test_x.py\n")
    assert "line 1\n" not in said
    assert (tmp_path / "summary").read_text() == said
