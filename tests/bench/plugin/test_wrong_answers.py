"""Whole runs in which an answer does not agree with the oracle's: never timed, WRONG, exit code 17."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.harness import record
from bench.harness.record import Record
from tests.bench.plugin.fake_project import baseline_of, write_package, write_project
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

SAID = "dense: logits at [0, 3] must be within 1e-5 of the oracle's, got 0.3"
RAISE = f'raise WrongAnswer("{SAID}")'
CHECK = f"if size == 2 and arm == 'dense': {RAISE}"
GUARDED = f"""
import pytest
from bench.harness.agreement import WrongAnswer

@pytest.fixture(autouse=True)
def guarded(size):
    if size == 2 and "before" == "WHEN": {RAISE}
    yield
    if size == 2 and "after" == "WHEN": {RAISE}
"""


def run(folder: Path, *options: str) -> Ended:
    return run_pytest(folder, "bench", "--record=run.json", *options)


def measured(folder: Path) -> Record:
    return record.load(folder / "run.json")


def assert_second_is_wrong(folder: Path, ended: Ended) -> None:
    assert ended.code == 17, ended.said
    assert f"bench_x[2]: WRONG: {SAID}" in ended.said
    assert "0 compared: 1 WRONG" in ended.said
    assert measured(folder).wrong == {"bench_x[2]": SAID}
    assert "bench_x[2]" not in measured(folder).scenarios
    assert not measured(folder).complete


@pytest.mark.parametrize("compare", ["off", "require"])
def test_a_wrong_answer_ends_17_and_is_never_timed(tmp_path: Path, compare: str) -> None:
    folder = write_project(tmp_path / "project", check=CHECK)
    package = folder / "moevlm" / "__init__.py"
    package.write_text(f"{package.read_text()}\ndel SECONDS[2]")  # a call of that scenario would be another failure
    ended = run(folder, f"--compare={compare}", "--junitxml=junit.xml")
    assert_second_is_wrong(folder, ended)
    assert list(measured(folder).scenarios) == ["bench_x[1]", "bench_x[3]", "bench_x[4]"]
    assert record.read(folder / "run.json")["moevlm"]["failed"] == []
    failed = {
        case.get("name"): failure.get("message", "")
        for case in ET.parse(folder / "junit.xml").getroot().iter("testcase")
        for failure in case.iter("failure")
    }
    without_baseline = ["verdict of the run"] if compare == "require" else []
    assert list(failed) == ["bench_x[2]", *without_baseline]
    assert SAID in failed["bench_x[2]"]
    lines = (folder / "run.md").read_text().splitlines()
    assert any(line.startswith("| bench_x[2] ") and line.endswith("| WRONG     |") for line in lines)
    assert f"- bench_x[2]: WRONG: {SAID}" in lines


@pytest.mark.parametrize("option", ["--benchmark-disable", "--exitfirst"])
def test_a_run_that_compares_nothing_ends_17_too(tmp_path: Path, option: str) -> None:
    folder = write_project(tmp_path / "project", check=CHECK)
    assert_second_is_wrong(folder, run(folder, option))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wrong_answer_around_the_scenario_is_one(tmp_path: Path, when: str) -> None:
    folder = write_project(tmp_path / "project", conftest=GUARDED.replace("WHEN", when))
    assert_second_is_wrong(folder, run(folder))
    assert len(measured(folder).scenarios) == 3


def test_what_was_skipped_and_then_found_wrong_leaves_the_record_incomplete(tmp_path: Path) -> None:
    skip = "if size == 2: pytest.skip('no memory')"
    folder = write_project(tmp_path / "project", ending=skip, conftest=GUARDED.replace("WHEN", "after"))
    assert_second_is_wrong(folder, run(folder))
    assert "bench_x[2]" in measured(folder).why_not_fitting()


def test_a_wrong_answer_in_the_scenarios_own_assertions_is_one(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(f"{bench.read_text()}\n    if size == 2: {RAISE}\n")
    assert_second_is_wrong(folder, run(folder))


def test_a_check_that_breaks_is_no_wrong_answer_and_keeps_pytests_own_code_beside_one(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", check=f"assert size != 3\n        {CHECK}")
    ended = run(folder)
    assert ended.code == 1, ended.said
    assert measured(folder).wrong == {"bench_x[2]": SAID}
    assert record.read(folder / "run.json")["moevlm"]["failed"] == ["bench_x[3]"]


def test_a_second_failure_of_the_same_scenario_keeps_pytests_own_code(tmp_path: Path) -> None:
    after = GUARDED.replace("WHEN", "after").replace(RAISE, "raise RuntimeError")
    folder = write_project(tmp_path / "project", check=CHECK, conftest=after)
    assert run(folder).code == 1


def test_a_corrupt_baseline_is_more_severe(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", check=CHECK)
    (folder / "baseline.json").write_text("{")
    ended = run(folder, "--baseline=baseline.json")
    assert ended.code == 14, ended.said
    assert f"bench_x[2]: WRONG: {SAID}" in ended.said


def test_the_seconds_of_all_checks_are_in_the_record_and_the_last_line(tmp_path: Path) -> None:
    ten_seconds_a_scenario = """
import itertools, types
import bench.harness.agreement as agreement
agreement.time = types.SimpleNamespace(perf_counter=itertools.count(0.0, 10.0).__next__)
"""
    folder = write_project(tmp_path / "project", conftest=ten_seconds_a_scenario)
    ended = run(folder)
    assert ended.code == 0, ended.said
    assert measured(folder).launch["check_s"] == 40.0
    assert "s of them timed calls, 40 s checks, 0 compared" in ended.said


@pytest.mark.long
def test_what_a_fresh_process_finds_wrong_is_wrong_beside_what_regressed(tmp_path: Path) -> None:
    first = write_project(tmp_path / "first")
    assert run(first).code == 0
    check = f"if size == 3 and '--compare=off' in __import__('sys').argv: {RAISE}"  # as fresh processes are started
    folder = write_project(tmp_path / "project", check=check)
    record.write(folder / "baseline.json", baseline_of(record.read(first / "run.json")))
    write_package(folder, {size: {"moe": 2.0} for size in (3, 4)})
    ended = run(folder, "--baseline=baseline.json", "--junitxml=junit.xml")
    assert ended.code == 17, ended.said
    assert f"bench_x[3]: WRONG: in a fresh launch: {SAID}" in ended.said
    assert "bench_x[4]: REGRESSED, in MoE" in ended.said
    assert 'name="verdict of bench_x[3]"' in (folder / "junit.xml").read_text()
