"""A release: its tag is the version, its notes are the changelog's, its citation is well-formed, both files install."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.environments import build_wheel, environment_with, run

ROOT = Path(__file__).parents[1]
PYPROJECT = '[project]\nname = "moevlm"\nversion = "1.2.3"\n'
CHANGELOG = """# Changelog

Form.

## Unreleased

## 1.2.3 - 2026-12-01

- New.

### Kinds

- Old.

## 1.2.2 - 2026-11-01

- x
"""
STATED = re.compile(r"^__version__ = |^version = ['\"]", re.M)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notes_are_the_changelogs_section_of_the_tag() -> None:
    assert script().notes("v1.2.3", PYPROJECT, CHANGELOG) == "- New.\n\n### Kinds\n\n- Old.\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "said"),
    [
        ("v1.2.4", CHANGELOG, "the tag must be v1.2.3, as pyproject.toml says, got v1.2.4"),
        ("1.2.3", CHANGELOG, "the tag must be v1.2.3, as pyproject.toml says, got 1.2.3"),
        ("v1.2.3", CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- Waits.\n"), "must have nothing under Unreleased"),
        ("v1.2.3", CHANGELOG.replace("1.2.3 - 2026-12-01", "1.2.3"), "must have a section '## 1.2.3 - YYYY-MM-DD'"),
        ("v1.2.3", CHANGELOG.replace("## 1.2.3", "## 1.2.5"), "must have a section '## 1.2.3 - YYYY-MM-DD'"),
        ("v1.2.3", "## 1.2.3 - 2026-12-01\n\n## 1.2.2\n\n- x\n", "must have a section '## 1.2.3 - YYYY-MM-DD'"),
    ],
)
def test_what_is_not_ready_is_refused_with_what_to_do(tag: str, changelog: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        script().notes(tag, PYPROJECT, changelog)


def test_a_tag_that_is_not_the_version_ends_the_workflows_step(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "release.py"), "v0.0.0"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the tag must be v" in done.stderr


def test_the_version_stands_in_one_place() -> None:
    kept = [ROOT / "CITATION.cff", *ROOT.glob("*.toml"), *ROOT.glob("bench/standalone/*.toml")]
    kept += [path for name in ("moevlm", "bench", "fixtures") for path in (ROOT / name).rglob("*.py")]
    assert [path.name for path in kept if STATED.search(path.read_text(encoding="utf-8"))] == ["pyproject.toml"]
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_citation_has_what_its_format_asks_for() -> None:
    """Required fields of Citation File Format 1.2.0; `.ci/run` checks the whole schema."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["cff-version"], cited["type"], cited["license"]) == ("1.2.0", "software", project["license"])
    assert all(one.keys() & {"name", "family-names"} for one in cited["authors"])
    assert "CITATION.cff" in (ROOT / ".ci" / "run").read_text()


USES = {
    "moevlm": "from moevlm import MoEVLM; from moevlm.presets import preset_config; m = MoEVLM(preset_config('tiny')); "
    "print(sum(p.numel() for p in m.parameters()))",
    "moevlm_bench": "from moevlm_bench.gate.stats import Interval; print(Interval(1.0, 0.9, 1.1).text('.2f'))",
}


@pytest.mark.long
@pytest.mark.parametrize(("folder", "name"), [(".", "moevlm"), ("bench/standalone", "moevlm_bench")])
def test_a_wheel_made_from_the_source_distribution_works_outside_the_clone(
    folder: str, name: str, tmp_path: Path
) -> None:
    """As the workflow builds: the source distribution first, then the wheel from what is in it alone."""
    source, out = tmp_path / "clone", tmp_path / "out"
    out.mkdir()
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in listed.splitlines():
        if not path.startswith(("docs/", "tests/", "baselines/")) and (ROOT / path).exists():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    asked = f"from {backend(source / folder)} import build_sdist; print(build_sdist({str(out)!r}))"
    subprocess.run([sys.executable, "-c", asked], cwd=source / folder, check=True, capture_output=True)
    (made,) = out.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "wheel").mkdir()
    wheel = build_wheel(unpacked, tmp_path / "wheel")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wheel.name == f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [one for one in archive.namelist() if one.endswith("licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    python = environment_with(wheel, tmp_path / "environment")
    done = run(python, tmp_path, "-c", f"{USES[name]}; import {name}; print({name}.__file__)", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    shown, file = done.stdout.splitlines()
    assert shown
    assert Path(file).is_relative_to(python.parents[1])


def backend(folder: Path) -> str:
    """Return the module that builds a project, as its pyproject.toml names it."""
    return str(tomllib.loads((folder / "pyproject.toml").read_text())["build-system"]["build-backend"])
