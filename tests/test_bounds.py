"""The bounds of the dependencies: each has both, pages and workflows agree with them, the script moves them."""

import importlib.util
import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOTHING_PASSED = {"gpu", "peers"}  # extras for a GPU, on which nothing has run yet
SAMPLE = """
[build-system]
requires = ["setuptools>=77,<=80.0"]
[project]
requires-python = ">=3.11,<3.14"
dependencies = ["torch>=2.11,<=2.13.0", "plain>=1,!=1.5,<=2.0"]  # kept
[project.optional-dependencies]
test = [
  "tested>=3.0.1,<=3.1; sys_platform == 'linux'",
]
lint = ["linter>=1,<=1.1"]
gpu = ["unbound>=4"]
"""
BUILT = """
[build-system]
requires = ["setuptools>=77,<=80.0"]
[project]
dynamic = ["dependencies"]
[project.optional-dependencies]
gpu = ["unbound>=4"]
"""


def load_bounds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bounds", ROOT / ".ci" / "bounds.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BOUNDS = load_bounds()


def requirements() -> list[Requirement]:
    """Return those of which some version has passed."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    tested = [line for name, lines in extras.items() if name not in NOTHING_PASSED for line in lines]
    lists = (PYPROJECT["build-system"]["requires"], PYPROJECT["project"]["dependencies"], tested)
    return [Requirement(line) for lines in lists for line in lines]


def ends(name: str) -> tuple[str, str]:
    """Return the minor versions between which a dependency lies."""
    found = next(one for one in requirements() if one.name == name)
    versions = [
        Version(part.version) for operator in (">=", "<=") for part in found.specifier if part.operator == operator
    ]
    low, high = (f"{version.major}.{version.minor}" for version in versions)
    return low, high


def pythons() -> list[str]:
    """Return the minor versions that may install it."""
    allowed = Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    return [f"3.{minor}" for minor in range(99) if f"3.{minor}.0" in allowed]


def install(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let the script find these versions installed."""

    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(BOUNDS, "version", version)


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_dependency_lies_between_two_versions_that_passed(requirement: Requirement) -> None:
    found = {part.operator: Version(part.version) for part in requirement.specifier if part.operator != "!="}
    assert set(found) == {">=", "<="}
    assert found[">="] <= found["<="]


def test_a_dependency_has_the_same_bounds_wherever_it_is_named() -> None:
    assert len({(one.name, str(one.specifier)) for one in requirements()}) == len({one.name for one in requirements()})


@pytest.mark.parametrize("page", ["README.md", ".github/CONTRIBUTING.md"])
def test_pages_name_the_versions_between_which_all_lies(page: str) -> None:
    ranges = {"Python": (pythons()[0], pythons()[-1]), "torch": ends("torch"), "transformers": ends("transformers")}
    said = ", ".join(f"{name} {low} to {high}" for name, (low, high) in ranges.items())
    assert said in " ".join((ROOT / page).read_text().split())


def test_the_classifiers_are_the_pythons_that_may_install_it() -> None:
    found = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    assert found == pythons()


def test_ci_has_both_ends_of_the_bounds_and_every_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    cells = workflow["jobs"]["cpu"]["strategy"]["matrix"]["include"]
    assert {cell["python"] for cell in cells} == set(pythons())
    assert {cell["end"] for cell in cells} == {"oldest", "newest"}
    newest = max((cell for cell in cells if cell["end"] == "newest"), key=lambda cell: Version(cell["python"]))
    assert newest["python"] == pythons()[-1]


@pytest.mark.parametrize("name", [".ci/run", ".github/workflows/ci.yml", ".github/workflows/newest.yml"])
def test_versions_are_read_from_the_bounds_and_written_nowhere_else(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"(torch|transformers)\W{0,2}[=<>~]=\W*\d", text)


def test_the_oldest_are_the_lower_bounds_of_what_the_readme_installs() -> None:
    assert BOUNDS.oldest(SAMPLE).splitlines() == ["torch==2.11", "plain==1", 'tested==3.0.1; sys_platform == "linux"']


def test_without_upper_bounds_all_else_of_a_requirement_stays() -> None:
    torch, plain, tested = map(Requirement, BOUNDS.unbounded(SAMPLE).splitlines())
    assert "99" in torch.specifier
    assert ("99" in plain.specifier, "1.5" in plain.specifier, "0.9" in plain.specifier) == (True, False, False)
    assert str(tested.marker) == 'sys_platform == "linux"'


def test_bounds_are_raised_to_what_is_installed_and_never_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, torch="2.15.1+cpu", plain="1.9", tested="3.2", linter="1.2", unbound="5", setuptools="81")
    expected = {"<=2.13.0": "<=2.15.1", "<=3.1;": "<=3.2;", "<=1.1": "<=1.2", "<=80.0": "<=81"}
    wanted = SAMPLE
    for old, new in expected.items():
        wanted = wanted.replace(old, new)
    assert BOUNDS.raised(SAMPLE) == wanted
    assert wanted != SAMPLE


def test_what_lies_beyond_its_bound_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, torch="2.13.0+cpu", plain="2.1")
    assert BOUNDS.beyond(SAMPLE).splitlines()[2:] == ["| plain | 2.0 | 2.1 |"]
    install(monkeypatch, torch="2.13.0+cpu")
    assert BOUNDS.beyond(SAMPLE) == ""


def test_a_dependency_without_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have one bound >=VERSION, got plain<=2\.0; write it so"):
        BOUNDS.oldest(SAMPLE.replace(">=1,!=1.5,", ""))


def test_the_command_writes_the_bounds_that_it_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, standalone = tmp_path / "pyproject.toml", tmp_path / "standalone.toml"
    path.write_text(SAMPLE)
    standalone.write_text(BUILT)
    monkeypatch.setattr(BOUNDS, "PYPROJECT", path)
    monkeypatch.setattr(BOUNDS, "STANDALONE", standalone)
    install(monkeypatch, plain="2.7", setuptools="81")
    BOUNDS.main(["raise"])
    assert path.read_text() == SAMPLE.replace("<=2.0", "<=2.7").replace("<=80.0", "<=81")
    assert standalone.read_text() == BUILT.replace("<=80.0", "<=81")
    BOUNDS.main(["oldest"])
    assert "plain==1" in capsys.readouterr().out
