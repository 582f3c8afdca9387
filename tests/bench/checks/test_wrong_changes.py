"""Each change that makes the model answer wrongly ends `pytest bench` with WRONG and its scenarios' names."""

import csv
import re
from pathlib import Path

import pytest

from bench.gate.verdict import EXIT_CODES, Verdict
from tests.bench.checks.edited_copy import ROOT, bench, copy_of_the_project
from tests.bench.checks.wrong_changes import PHASES, WRONG_CHANGES, WrongChange

SMALLEST = (
    "--scale=tiny",
    "--batch-size=2",
    "--benchmark-disable",
)  # of the default matrix: what is wrong there is found there
FILES = tuple(f"bench/bench_{phase}.py" for phase in PHASES)
TABLE = ROOT / "docs" / "tables" / "method-wrong-changes.csv"


@pytest.mark.long
@pytest.mark.parametrize("name", WRONG_CHANGES)
def test_a_wrong_change_is_wrong_in_each_benchmark_that_it_touches(tmp_path: Path, name: str) -> None:
    change, root = WRONG_CHANGES[name], copy_of_the_project(tmp_path)
    change.apply(root)
    ended = bench(root, [*FILES, *SMALLEST])
    assert ended.code == EXIT_CODES[Verdict.WRONG], ended.said[-3000:]
    found = set(re.findall(r"^(bench_\S+\]): WRONG: ", ended.said, flags=re.MULTILINE))
    assert all(change.where in scenario for scenario in found)
    touched = {phase for phase in PHASES if any(scenario.startswith(f"bench_{phase}[") for scenario in found)}
    assert touched == set(change.touches), ended.said[-3000:]


def test_an_edit_whose_place_is_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("once\ntwice\ntwice\n")
    for text, count in (("gone", 0), ("twice", 2)):
        with pytest.raises(ValueError, match=f"must hold '{text}' once, got it {count} times"):
            WrongChange(edits=(("a.py", text, "x"),)).apply(tmp_path)


def test_the_documented_table_says_what_each_change_touches() -> None:
    with TABLE.open(newline="") as file:
        shown = {row["change"]: [row[phase] for phase in PHASES] for row in csv.DictReader(file)}
    touched = {name: change.touches for name, change in WRONG_CHANGES.items()}
    assert shown == {name: ["yes" if phase in found else "-" for phase in PHASES] for name, found in touched.items()}


@pytest.mark.parametrize("name", WRONG_CHANGES)
def test_every_edit_fits_the_code_as_it_is(tmp_path: Path, name: str) -> None:
    for file in {file for file, _, _ in WRONG_CHANGES[name].edits}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text((ROOT / file).read_text())
    WRONG_CHANGES[name].apply(tmp_path)
