"""Tests of what the second distribution is made of: whole in itself, no model, one version and one set of bounds."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.standalone.packing import staging
from bench.standalone.packing.renaming import imported

ROOT = Path(__file__).parents[3]
CLONES_OWN = ("python -m bench", "pytest bench", "bench.gate", "bench.harness", "fixtures.")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
OPTIONAL = {"pynvml"}  # of a GPU, where it is installed


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("staged")
    staging.stage(folder)
    return folder


def modules(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in (folder / "moevlm_bench").rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_every_import_is_of_what_is_staged_or_required_or_python(staged: Path) -> None:
    own = dict(modules(staged))
    required = {line.split(">")[0].replace("-", "_") for line in (staged / "requirements.txt").read_text().split()}
    for module, path in own.items():
        for name in imported(path.read_text()):
            root = name.partition(".")[0]
            if root == "moevlm_bench":
                assert name in own or name.rpartition(".")[0] in own, (module, name)
            else:
                assert root in sys.stdlib_module_names | required | OPTIONAL, (module, name)


def test_harness_and_gate_are_there_whole_and_what_measures_this_model_is_not(staged: Path) -> None:
    for folder in ("harness", "gate"):
        found, expected = (
            {path.relative_to(root) for path in root.rglob("*.py")}
            for root in (staged / "moevlm_bench" / folder, ROOT / "bench" / folder)
        )
        assert found == expected
    names = {name.split(".")[1] for name, _ in modules(staged) if "." in name}
    assert names == {
        "__main__",
        "commands",
        "contrasts",
        "defaults",
        "devices",
        "evidence",
        "gate",
        "harness",
        "pages",
        "plugin",
        "programs",
        "report",
    }


def test_no_text_that_a_user_may_read_names_the_clones_modules(staged: Path) -> None:
    for module, path in modules(staged):
        tree = ast.parse(path.read_text())
        said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        documented = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
        for text in said:
            assert text in documented or not any(name in text for name in CLONES_OWN), (module, text)


def test_version_bounds_licence_and_pythons_are_the_clones(staged: Path) -> None:
    clone = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = clone["project"]
    own = tomllib.loads((staged / "pyproject.toml").read_text())
    for key in ("requires-python", "license", "classifiers"):
        assert own["project"][key] == project[key], key
    assert own["project"]["optional-dependencies"]["gpu"] == project["optional-dependencies"]["gpu"]
    assert own["build-system"] == clone["build-system"]
    assert (staged / "VERSION").read_text() == project["version"]
    known = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    lines = (staged / "requirements.txt").read_text().splitlines()
    assert set(lines) <= set(known)
    assert not any(line.startswith(("transformers", "tokenizers", "moevlm")) for line in lines)
    assert (staged / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_would_import_the_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "PLUGINS", ("bench.floors",))
    with pytest.raises(
        ValueError,
        match=r"must import of the clone bench, fixtures\.devices, fixtures.programs alone, got (moevlm|fixtures)\b",
    ):
        staging.shipped()
