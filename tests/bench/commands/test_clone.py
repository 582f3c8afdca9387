"""Tests of where a command is run: anywhere in a clone it finds what lies there, outside one it says what to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.commands.clone import clone_root, in_clone, measured_project
from bench.commands.command_line import parser_of
from bench.harness import record
from bench.harness.project import FILE
from tests.bench.sample_records import BASELINE_NAME, document

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "example"  # a project of its own
SCRIPT = ROOT / "bench" / "moevlm-bench"
DEFAULTS: dict[str, dict[str, str]] = {  # command line -> what it takes from the clone, or leaves there
    "ab --base main": {"out": "records"},
    "qualify": {"record": "records/qualify.jsonl"},
    "campaign --scale tiny --out o": {"plan": "bench/campaign.toml"},
    "baseline --reason x": {"baselines": "baselines"},
    "promote r --reason x": {"baselines": "baselines"},
    "compare r": {"baselines": "baselines"},
    "history": {"baselines": "baselines", "out": "records"},
    "report r": {},
    "export bmf r": {},
    "coverage r": {},
    "fairness r": {},
    "track r --data d.jsonl": {},
    "bundle r --out o": {},
    "reproduce b": {},
    "results r": {"out": "docs/results.md"},
    "layers r": {"out": "docs/specialization.md"},
    "performance r": {"out": "docs/performance.md"},
    "peers r": {"out": "docs/peers.md"},
    "twins d": {"out": "docs/twins.md"},
    "pareto d": {"out": "docs/pareto.md"},
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like a clone, of which a subfolder of a subfolder is the current one."""
    root = tmp_path / "clone"
    for folder in ("bench", "docs/images"):
        (root / folder).mkdir(parents=True)
    (root / FILE).write_text("[tool.moevlm-bench]\n")
    monkeypatch.chdir(root / "docs" / "images")
    return root


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_launches(folder: Path, name: str, number: int) -> list[str]:
    paths = [folder / f"{name}-{i}.json" for i in range(number)]
    for path in paths:
        record.write(path, document(path.stem))
    return list(map(str, paths))


def parsed(line: str) -> dict[str, object]:
    """Return what a command line asks for, paths resolved against the current folder."""
    options = vars(parser_of(commands.COMMANDS).parse_args(line.split()))
    return {name: value.resolve() if isinstance(value, Path) else value for name, value in options.items()}


def test_the_root_is_the_nearest_folder_above_that_looks_like_a_clone(clone: Path) -> None:
    assert clone_root() == clone
    assert in_clone(Path("records")) == Path("../../records")
    (clone / FILE).unlink()
    rule = f"must be run in a project, a folder whose {FILE} has [tool.moevlm-bench], got {Path.cwd()}; cd into one"
    with pytest.raises(ValueError, match=re.escape(rule)):
        clone_root()


def test_no_folder_of_this_clone_is_taken_for_its_root(monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {parent for name in tracked.splitlines() for parent in (ROOT / name).parents if parent.is_dir()}
    own = {folder for folder in folders if folder.is_relative_to(ROOT) and not folder.is_relative_to(EXAMPLE)}
    assert {ROOT / "tests", ROOT / "bench" / "standalone"} <= own  # these have a conftest.py, a pyproject.toml
    for folder in sorted(own):
        monkeypatch.chdir(folder)
        assert clone_root() == ROOT, folder


def test_every_command_is_known_here() -> None:
    parser = parser_of(commands.COMMANDS)
    (names,) = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    assert {line.split()[0] for line in DEFAULTS} == set(names)


@pytest.mark.parametrize("line", DEFAULTS)
def test_a_commands_defaults_are_the_clones_from_each_of_its_folders(
    clone: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = parsed(line)
    assert {name: found[name] for name in DEFAULTS[line]} == {n: clone / path for n, path in DEFAULTS[line].items()}
    given = {name for name, value in found.items() if isinstance(value, Path)} - set(DEFAULTS[line])
    monkeypatch.chdir(clone)
    from_root = parsed(line)
    assert {**found, **dict.fromkeys(given)} == {**from_root, **dict.fromkeys(given)}


def test_outside_a_clone_defaults_are_as_seen_from_the_current_folder(outside: Path) -> None:
    for line, paths in DEFAULTS.items():
        assert {name: parsed(line)[name] for name in paths} == {name: outside / path for name, path in paths.items()}


def test_a_baseline_promoted_in_a_subfolder_is_the_clones_and_found_from_another(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commands.main(["promote", *write_launches(clone / "records", "old", 8), "--reason", "because"]) == 0
    assert (clone / "baselines" / BASELINE_NAME).is_file()
    monkeypatch.chdir(clone / "bench")
    assert commands.main(["compare", *write_launches(clone / "records", "new", 2)]) == 0


def test_a_campaign_follows_the_clones_plan(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "bench" / "campaign.toml").write_text("[[step]]\nname = 'x'\n")
    assert commands.main(["campaign", "--scale", "tiny", "--out", "o"]) == 4
    assert "../../bench/campaign.toml: step 1 must have why, got no why" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["ab --base HEAD", "qualify", "campaign --scale tiny --out o"])
def test_a_command_that_measures_ends_4_outside_a_clone(
    outside: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(line.split()) == 4
    rule = f"must be run in a project, a folder whose {FILE} has [tool.moevlm-bench], got {outside}; cd into one"
    assert rule in capsys.readouterr().err


@pytest.mark.parametrize(("table", "line", "named"), [("", "--package pack", "pack"), ('package = "own"', "", "own")])
def test_the_measured_package_is_named_by_the_command_or_else_by_the_project(
    clone: Path, table: str, line: str, named: str
) -> None:
    (clone / FILE).write_text(f'[tool.moevlm-bench]\n{table}\nscenarios = "speed"\n')
    for command in ("ab --base main", "qualify"):
        asked = measured_project(str(parsed(f"{command} {line}")["package"]))
        assert (asked.package, asked.scenarios) == (named, "speed")


@pytest.mark.parametrize("command", ["ab --base HEAD", "qualify"])
def test_a_package_that_nobody_names_ends_4_with_both_ways_to_name_it(
    clone: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(command.split()) == 4
    said = 'a package must be named, got none; give --package NAME, or package = "NAME" in [tool.moevlm-bench] of'
    assert said in capsys.readouterr().err


def test_a_mistake_in_the_projects_table_ends_4_whatever_the_command(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / FILE).write_text("[tool.moevlm-bench]\nbaseline = 'b'\n")
    assert commands.main(["history"]) == 4
    assert "keys must be among package, source, scenarios, baselines, got 'baseline'" in capsys.readouterr().err


def test_baselines_lie_where_the_project_says(clone: Path) -> None:
    (clone / FILE).write_text("[tool.moevlm-bench]\nbaselines = 'speed/base'\n")
    assert parsed("compare r")["baselines"] == clone / "speed" / "base"


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script on its own, whatever the path of imports says here."""
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_script_reaches_the_commands_of_the_clone_that_it_is_run_in(tmp_path: Path) -> None:
    for name in ("bench", "fixtures/programs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "conftest.py").touch()
    listing = tmp_path / "bench" / "commands" / "listing.py"
    listing.write_text(listing.read_text().replace("print a record as a markdown table", "print what the copy prints"))
    folder = tmp_path / "docs" / "images"
    folder.mkdir(parents=True)
    listed = run_script(folder, "--help")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "print what the copy prints" in listed.stdout


def test_the_script_ends_4_outside_a_clone(tmp_path: Path) -> None:
    done = run_script(tmp_path, "report", "absent.json")
    assert (done.returncode, done.stdout) == (4, "")
    rule = f"moevlm-bench must be run in a clone, or be installed as a distribution of its own, got {tmp_path}; "
    assert done.stderr == f"{rule}cd into a clone, or pip install bench/standalone of one\n"
