""".ci/run with stand-ins for Python and what it installs: which versions each environment gets, and what runs in it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NEVER_MEET_TRANSFORMERS = [
    f"--ignore=tests/{source.replace('.', '/')}"
    for source in sorted(
        source
        for contract in CONTRACTS
        if "transformers" in contract.get("forbidden_modules", ())
        for source in contract["source_modules"]
    )
]
TOOLS = ("pip", "python", "pytest", "ruff", "mypy", "lint-imports", "check-jsonschema")
# `python3 -m venv FOLDER` makes an environment of stand-ins, which note what they are asked and with which constraints.
PYTHON3 = f"""#!{sys.executable}
import pathlib, shutil, sys
here, bin = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[3]) / "bin"
bin.mkdir(parents=True)
for tool in {TOOLS!r}:
    shutil.copy(here / "tool", bin / tool)
(bin / "activate").write_text(f"PATH={{bin}}:$PATH")
"""
TOOL = f"""#!{sys.executable}
import json, os, pathlib, sys
tool, words = pathlib.Path(sys.argv[0]), sys.argv[1:]
if tool.name == "python" and words[0].endswith("bounds.py"):
    os.execv({sys.executable!r}, [{sys.executable!r}, *words])
if words == ["freeze"]:
    print("numpy==1.0\\ntorch==9.9.0+cpu\\ntorchfoo==1.0\\ntriton==8.8.0")
constraints = words[words.index("--constraint") + 1] if "--constraint" in words else os.devnull
with open(os.environ["NOTES"], "a") as notes:
    read = pathlib.Path(constraints).read_text().split("\\n")
    required = os.environ.get("MOEVLM_REQUIRE_BROWSER", "")
    json.dump([tool.parent.parent.name, tool.name, words, [line for line in read if line], required], notes)
    notes.write("\\n")
"""


class Asked(NamedTuple):
    """What a tool was asked in one of the environments."""

    environment: str
    tool: str
    words: list[str]
    constraints: list[str]
    requires_browser: str


def ci_run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[Asked]]:
    for name, script in {"python3": PYTHON3, "tool": TOOL}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "apt-get").write_text("#!/bin/sh\n")  # a test installs nothing
    (folder / "apt-get").chmod(0o755)
    notes = folder / "notes"
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "NOTES": str(notes)}
    command = ["bash", str(ROOT / ".ci" / "run"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = notes.read_text().splitlines() if notes.exists() else []
    return done, [Asked(*json.loads(line)) for line in lines]


def oldest(name: str) -> str:
    """Return the constraint that a dependency's lower bound is."""
    (bound,) = re.findall(rf'"{name}>=([\d.]+)', (ROOT / "pyproject.toml").read_text())
    return f"{name}=={bound}"


def installed(asked: list[Asked]) -> dict[str, Any]:
    """Return the constraints under which each environment was made by the README's command, in their order."""
    return {one.environment: one.constraints for one in asked if one.words[-2:] == ["-e", ".[test]"]}


def tested(asked: list[Asked]) -> list[tuple[str, list[str]]]:
    return [(one.environment, one.words) for one in asked if one.tool == "pytest"]


def test_the_newest_are_tested_whole_then_the_oldest_with_the_same_torch(tmp_path: Path) -> None:
    done, asked = ci_run(tmp_path)
    assert done.returncode == 0, done.stderr
    (first, second) = installed(asked).items()
    assert first == ("newest", [])
    assert second[0] == "oldest"
    assert {"torch==9.9.0+cpu", "triton==8.8.0", oldest("transformers")} <= set(second[1])
    assert [line for line in second[1] if line.startswith(("torch", "triton"))] == second[1][:2]
    assert ("newest", ["-n", "auto"]) in tested(asked)
    assert tested(asked)[-1] == ("oldest", ["-n", "auto", *NEVER_MEET_TRANSFORMERS])
    assert {one.environment for one in asked if one.tool in ("ruff", "mypy", "lint-imports")} == {"newest"}


def test_the_oldest_are_tested_whole_then_the_newest_with_the_same_torch(tmp_path: Path) -> None:
    done, asked = ci_run(tmp_path, "oldest")
    assert done.returncode == 0, done.stderr
    (first, second) = installed(asked).items()
    assert first[0] == "oldest"
    assert {oldest("torch"), oldest("transformers")} <= set(first[1])
    assert second == ("newest", ["torch==9.9.0+cpu", "triton==8.8.0"])
    assert ("oldest", ["-n", "auto"]) in tested(asked)
    assert tested(asked)[-1] == ("newest", ["-n", "auto", *NEVER_MEET_TRANSFORMERS])
    assert not [one for one in asked if one.tool in ("ruff", "mypy", "lint-imports")]


@pytest.mark.parametrize("end", ["newest", "oldest"])
def test_a_browser_is_there_and_required_before_the_page_is_tested(tmp_path: Path, end: str) -> None:
    done, asked = ci_run(tmp_path, end)
    assert done.returncode == 0, done.stderr
    of_end = [one for one in asked if one.environment == end]
    browser = next(i for i, one in enumerate(of_end) if one.words[-2:] == ["-e", ".[browser]"])
    whole = (["-n", "auto"], ["-m", "long", "-n", "auto"])
    page = [i for i, one in enumerate(of_end) if one.tool == "pytest" and one.words in whole]
    assert len(page) == 2
    assert browser < min(page)
    assert [of_end[i].requires_browser for i in page] == ["1", "1"]


def test_an_end_that_there_is_not_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done, asked = ci_run(tmp_path, "latest")
    assert (done.returncode, asked) == (2, [])
    assert "newest or oldest, got 'latest'" in done.stderr
