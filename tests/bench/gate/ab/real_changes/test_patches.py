"""Each patch fits the code as it is and compiles, and each row of the table says all that is asked of a run."""

import re
from pathlib import Path

import pytest

from bench.gate.verdict import EXIT_CODES, Verdict
from tests.bench.checks.edited_copy import ROOT, copy_of_the_project
from tests.bench.gate.ab.real_changes.copies import apply, changed_files, patched_files
from tests.bench.gate.ab.real_changes.table import FOLDER, NOTICED, REAL_CHANGES

CAUSES = ("MoE", "dense", "shared code")
RENAMED, OLD_NAME, NEW_NAME = "renamed_api", r"\bapply_profile\b", "steer_by_profile"
ELSEWHERE = ("fixtures/", "docs/")  # than in the package


@pytest.mark.parametrize("name", REAL_CHANGES)
def test_a_change_fits_the_code_as_it_is_and_compiles(tmp_path: Path, name: str) -> None:
    files = patched_files(REAL_CHANGES[name], tmp_path)
    assert files
    for path in files:
        assert path.read_text() != (ROOT / path.relative_to(tmp_path)).read_text()
        if path.suffix == ".py":
            compile(path.read_text(), str(path), "exec")


def test_a_patch_that_does_not_fit_says_how_it_is_remade(tmp_path: Path) -> None:
    change = REAL_CHANGES["faster_router"]
    patched_files(change, tmp_path)
    with pytest.raises(
        ValueError, match=r"(?s)faster_router.patch must fit .*patch does not apply; remake it: .* --3way"
    ):
        apply(change.files, tmp_path)


def test_every_patch_is_of_a_row() -> None:
    assert {path for change in REAL_CHANGES.values() for path in change.files} == set(FOLDER.glob("*.patch"))


@pytest.mark.parametrize("name", REAL_CHANGES)
def test_a_row_says_what_must_be_said(name: str) -> None:
    change = REAL_CHANGES[name]
    assert {EXIT_CODES[Verdict(verdict)] for verdict in change.verdicts} == {change.code}
    is_slower = change.verdicts == ["REGRESSED"]
    assert (change.cause in CAUSES) == is_slower
    sizes = (change.worse or {}).values()
    assert all(size >= NOTICED for size in sizes) if is_slower else all(size < 0 for size in sizes)
    assert bool(sizes) == (is_slower or change.verdicts == ["IMPROVED"])
    assert change.runs in ("timed", "once", "never")
    assert bool(change.benchmarks) == (change.runs != "never")


@pytest.mark.parametrize("name", [name for name, change in REAL_CHANGES.items() if change.verdicts == ["IDENTICAL"]])
def test_what_is_identical_leaves_the_package_alone(name: str) -> None:
    assert all(file.startswith(ELSEWHERE) for file in changed_files(REAL_CHANGES[name].files))


def test_the_rename_leaves_no_old_name_and_base_cannot_import_the_new_one(tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path)
    apply(REAL_CHANGES[RENAMED].files, copy)
    left = [path for path in copy.rglob("*.py") if re.search(OLD_NAME, path.read_text())]
    assert left == []
    assert re.search(
        rf"^from moevlm\S* import .*\b{NEW_NAME}$", (copy / "fixtures/plugin.py").read_text(), re.MULTILINE
    )
    assert not any(NEW_NAME in path.read_text() for path in (ROOT / "moevlm").rglob("*.py"))
