"""The second distribution in an environment of its own, on the small project of docs/: measured, gated, and told."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.environments import build_wheel, environment_with, run

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "example"
SCRIPT = "moevlm-bench"
OURS = ("moevlm", "bench", "fixtures", "tests")
ON_ITS_ROWS, ON_EVERY_ROW = "self.expert(expert, x_TH[tokens])", "self.expert(expert, x_TH)[tokens]"
OPTIONS = ("--device=cpu", "--dtype=float32")

pytestmark = pytest.mark.long  # builds, installs, and measures with many processes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT / "bench" / "standalone", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(wheel, tmp_path_factory.mktemp("environment"))


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the small project into a repository of its own, whose second commit runs every expert on every token."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "records", ".pytest_cache"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    layer = folder / "tinymoe" / "__init__.py"
    assert ON_ITS_ROWS in layer.read_text()
    layer.write_text(layer.read_text().replace(ON_ITS_ROWS, ON_EVERY_ROW))
    git(folder, "commit", "-qam", "every expert sees every token")
    return folder


def test_it_shares_no_file_with_moevlm_but_the_script_which_is_the_same(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (script,) = [name for name in names if name.endswith(f"scripts/{SCRIPT}")]
        assert archive.read(script) == (ROOT / "bench" / SCRIPT).read_bytes()
    stem = wheel.name.removesuffix("-py3-none-any.whl")
    assert {name.split("/")[0] for name in names if name != script} == {"moevlm_bench", f"{stem}.dist-info"}


def test_the_scenarios_of_a_project_are_measured_where_nothing_of_ours_can_be_imported(
    python: Path, project: Path
) -> None:
    known = run(python, project, "-c", f"import importlib.util as u; print([n for n in {OURS} if u.find_spec(n)])")
    assert known.stdout == "[]\n"
    done = run(python, project, "-m", "pytest", "benchmarks", "--record=r.json", "--scenario-budget=0.05", *OPTIONS)
    assert done.returncode == 0, done.stdout
    assert "python -m moevlm_bench baseline" in done.stdout
    told = run(python.parent / SCRIPT, project / "benchmarks", "report", "../r.json")
    assert "| bench_forward[256] |" in told.stdout


def test_the_gate_finds_what_slowed_another_package(python: Path, project: Path) -> None:
    line = ["ab", "--base", "HEAD~1", "--head", "HEAD", "--scenarios", "256", "--budget", "3m", "--", *OPTIONS]
    done = run(python.parent / SCRIPT, project / "benchmarks", *line)
    assert done.returncode == 10, done.stdout + done.stderr
    verdicts = json.loads((project / "records" / "ab.json").read_text())["verdicts"]
    assert [(verdict["scenario"], verdict["verdict"]) for verdict in verdicts] == [("bench_forward[256]", "REGRESSED")]


def test_a_package_that_is_not_there_is_named_with_the_remedy(python: Path, project: Path) -> None:
    done = run(python.parent / SCRIPT, project, "ab", "--base", "HEAD~1", "--package", "bigmoe", "--", *OPTIONS)
    assert done.returncode == 4
    assert "must hold the package 'bigmoe'" in done.stderr
