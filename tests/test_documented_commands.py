"""Every command that the pages give is run: here, in seconds or under -m long, or by what is named beside it.

What is run here runs in a copy of what it reads, so that what it writes is not the repository's.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import EVERY

ROOT = Path(__file__).parents[1]
COMMANDS = sorted({" ".join(command.split()) for _, command in EVERY})
HERE = (  # seconds each
    r"python -m fixtures\.presets",
    r"python -m bench (export|history) .*",
    r"pytest bench --collect-only",
    r"pytest --help",
)
LONG_HERE = (  # up to minutes each: under -m long
    r"python -m bench (results|layers|performance|peers|twins|pareto) .*docs/records/.*",
    r"python -m fixtures\.export gguf --preset proxy .*",
    r"python -m fixtures\.tasks --out .*",
    r"pytest tests/bench/gate/test_stats\.py",
    r"pytest bench --scale small|pytest bench --workload captions",  # names that a recipe adds: the refusal is run
)
BY = {  # what runs the same, with other names or sizes
    r"pytest( -n auto)?|pytest -m long|\.ci/run": ".ci/run",
    r"pytest -m exhaustive": ".github/workflows/exhaustive.yml",
    r"(ruff|mypy|lint-imports).*|(source|\.) .*|python3? -m venv .*|.*pip install .*": ".ci/run",
    r"pytest bench( --(inject|compare|arms|workload|scale)\b.*)?": "tests/bench/plugin/test_plugin.py",
    r"pytest bench --report .*|python -m bench (report --html|track) .*": "tests/bench/commands/test_report.py",
    r"pytest bench/bench_(decode|generate|layers|prefill)\.py .*": "tests/bench/plugin/test_plugin.py",
    r"pytest bench/inter_token\.py .*": ".ci/run",
    r"pytest bench/recycled\.py .*": "tests/bench/test_recycled.py",
    r"python -m bench\.warm .*": "tests/bench/warm/test_warm.py",
    r"python -m bench\.grid .*": "tests/bench/grid/test_main.py",
    r"python -m bench coverage .*": "tests/bench/commands/test_coverage.py",
    r"python -m bench\.grid\.ask .*": "tests/bench/grid/test_ask.py",
    r"python -m bench results 'records/.*": "tests/bench/commands/test_pages.py",
    r"pytest benchmarks|moevlm-bench .*": "tests/bench/standalone/test_installed.py",
    r"pytest tests/bench/gate/ab/real_changes .*|git apply .*": "tests/bench/gate/ab/real_changes/test_real_changes.py",
    r"python -m bench ab .*": "tests/bench/gate/ab/test_compare.py",
    r"python -m bench (baseline|campaign|qualify|promote) .*": "tests/bench/commands/test_measuring_surroundings.py",
    r"python -m bench (bundle|reproduce) .*": "tests/bench/evidence/test_reproduction.py",
    r"python -m bench (layers|pareto|twins) \w+\.json.*": "tests/bench/commands/test_pages.py",
    r"python -m bench\.front\..*": "tests/fixtures/programs/test_every_program.py",
    r"python -m fixtures\.(training|export) .*": "tests/fixtures/programs/test_every_program.py",
    r"torchrun .*": "tests/moevlm/parallel",
    r"sed .*": "tests/test_workflows.py",
}
RECIPE = re.compile(r"--(scale small|workload captions)$")  # what its reader has just added, and nobody has here


def rule_of(command: str) -> str:
    """Return what a command is run by; the first of the tables that knows it."""
    for rules, name in ((HERE, "here"), (LONG_HERE, "here, long")):
        if any(re.fullmatch(rule, command) for rule in rules):
            return name
    return next((by for rule, by in BY.items() if re.fullmatch(rule, command)), "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_command_is_run_by_a_test_that_there_is(command: str) -> None:
    by = rule_of(command)
    assert by, "name a test that runs it"
    assert by.startswith("here") or (ROOT / by).exists(), by


def test_every_rule_is_of_a_documented_command() -> None:
    rules = (*HERE, *LONG_HERE, *BY)
    assert [rule for rule in rules if not any(re.fullmatch(rule, command) for command in COMMANDS)] == []


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what commands read and write; the code stands in it by a link."""
    folder = tmp_path_factory.mktemp("documented")
    for name in ("docs", "baselines"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("bench", "fixtures", "moevlm", "tests", "conftest.py", "pyproject.toml", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "baselines"), (*identity, "commit", "-qm", "baselines")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    folder = ROOT if program == "pytest" else folder  # which collects no folder behind a link as its own
    words = [sys.executable, *(arguments if program == "python" else ["-m", program, *arguments])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [one for one in COMMANDS if rule_of(one) == "here"])
def test_a_documented_command_ends_well(command: str, copy: Path) -> None:
    done = run(command, copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize("command", [one for one in COMMANDS if rule_of(one) == "here, long"])
def test_a_documented_command_of_minutes_ends_well(command: str, copy: Path) -> None:
    done = run(command, copy)
    if RECIPE.search(command):
        name = command.split()[-1]
        assert (done.returncode, f"got '{name}'" in done.stdout + done.stderr) == (4, True), done.stdout + done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr
