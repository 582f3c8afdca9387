"""`pytest bench -n N`: every worker on a device of its own, and one record, comparison, table and exit code."""

from pathlib import Path
from typing import NamedTuple

import pytest

from bench.harness import record
from tests.bench.plugin.fake_project import SCENARIOS, baseline_of, write_package, write_project
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

pytestmark = pytest.mark.long

TWO_DEVICES = 'DEVICES[:] = ["first", "second"]\n'
WRONG_AFTER = """
import pytest
from bench.harness.agreement import WrongAnswer

@pytest.fixture(autouse=True)
def guarded(size):
    yield
    if size == 4: raise WrongAnswer("moe: got 4")
"""
NOTE_WHERE = "print(size, os.getpid(), file=open('places', 'a'))"  # of every time that a scenario is run


class Whole(NamedTuple):
    """A run with two workers, against a baseline than which one scenario has become slower."""

    folder: Path
    ended: Ended


def lines_of(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = write_project(tmp_path_factory.mktemp("xdist") / "project", ending=NOTE_WHERE, conftest=TWO_DEVICES)
    run_pytest(folder, "bench", "--record=alone.json")
    (folder / "places").unlink()
    record.write(folder / "baseline.json", baseline_of(record.read(folder / "alone.json")))
    write_package(folder, {3: {"moe": 2.0}})
    options = ("-n", "auto", "--compare=require", "--baseline=baseline.json", "--record=run.json")
    return Whole(folder, run_pytest(folder, "bench", *options, "--junitxml=junit.xml"))


def test_auto_starts_a_worker_for_each_device(whole: Whole) -> None:
    workers = lines_of(whole.folder / "devices")[:2]
    assert sorted(device for _, device in workers) == ["first", "second"]
    assert len({process for process, _ in workers}) == 2


def test_a_suspect_is_measured_again_on_the_device_that_measured_it(whole: Whole) -> None:
    device_of = dict(lines_of(whole.folder / "devices"))
    processes = [process for size, process in lines_of(whole.folder / "places") if size == "3"]
    assert len(processes) >= 1 + 2  # the worker, and fresh launches
    assert len({device_of[process] for process in processes}) == 1


def test_one_record_holds_what_a_run_without_workers_holds(whole: Whole) -> None:
    alone, together = (record.load(whole.folder / name) for name in ("alone.json", "run.json"))
    assert list(together.scenarios) == list(alone.scenarios) == SCENARIOS
    assert together.complete
    assert not together.filtered
    assert together.kind == alone.kind
    assert len(together.launch["workers"]) == 2
    ids = {launch for scenario in together.scenarios.values() for launch in scenario.launch_ids}
    assert ids == {together.launch["id"]}


def test_one_comparison_decides_one_exit_code(whole: Whole) -> None:
    code, said = whole.ended
    assert code == 10, said
    assert said.count("4 scenarios measured in") == 1
    assert "4 compared: 1 REGRESSED, 3 OK" in said
    assert "bench_x[3]: REGRESSED, in MoE: moe/dense +" in said
    assert 'name="verdict of bench_x[3]"' in (whole.folder / "junit.xml").read_text()


def test_nothing_is_left_of_the_workers_records(whole: Whole) -> None:
    left = {path.name for path in whole.folder.glob("*.json")}
    assert left == {"alone.json", "baseline.json", "run.json"}


def test_what_workers_find_wrong_skip_or_die_of_reaches_the_controller(tmp_path: Path) -> None:
    check = "if size == 2 and arm == 'dense': raise WrongAnswer('dense: got 2')"
    ending = "if size == 3: os.kill(os.getpid(), signal.SIGKILL)\n    if size == 4: pytest.skip('no memory')"
    folder = write_project(tmp_path / "project", check=check, ending=ending, conftest=WRONG_AFTER)
    code, said = run_pytest(folder, "bench", "-n1", "--record=run.json", "--junitxml=junit.xml")
    assert code == 17, said
    assert "bench_x[2]: WRONG: dense: got 2" in said
    assert "bench_x[3]: FAILED: its worker on cpu died; run the scenario alone to see how" in said
    measured = record.load(folder / "run.json")
    assert list(measured.scenarios) == ["bench_x[1]"]
    assert measured.wrong == {"bench_x[2]": "dense: got 2", "bench_x[4]": "moe: got 4"}
    assert record.read(folder / "run.json")["moevlm"]["failed"] == ["bench_x[3]"]
    assert "bench_x[4]" in measured.why_not_fitting()
    assert not measured.complete
    assert 'message="bench.harness.agreement.WrongAnswer: dense: got 2' in (folder / "junit.xml").read_text()


def test_a_wrong_answer_does_not_hide_another_failure_in_a_worker(tmp_path: Path) -> None:
    check = "if size == 2: raise WrongAnswer('got 0.3')"
    folder = write_project(tmp_path / "project", check=check, ending="assert size != 3")
    code, said = run_pytest(folder, "bench", "-n1", "--record=run.json")
    assert code == 1, said
    assert "bench_x[2]: WRONG: got 0.3" in said


def test_an_interrupted_run_leaves_the_finished_scenarios(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending="if size == 2: raise KeyboardInterrupt")
    code, said = run_pytest(folder, "bench", "-n1", "--record=run.json", "--compare=require")
    assert code == 2, said
    left = record.load(folder / "run.json")
    assert list(left.scenarios) == ["bench_x[1]"]
    assert not left.complete


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-n1", "--benchmark-json=x.json"), "--benchmark-json needs pytest-benchmark in this process"),
        (("-n1", "--dist=each"), "--dist must give each scenario to one worker, got each"),
    ],
)
def test_what_cannot_be_measured_in_parallel_ends_4(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    folder = write_project(tmp_path / "project")
    code, said = run_pytest(folder, "bench", *options)
    assert code == 4, said
    assert message in said
    assert not (folder / "records").exists()


def test_a_slowdown_of_an_arm_that_there_is_not_fails_the_scenarios_before_they_are_measured(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    code, said = run_pytest(folder, "bench", "-n1", "--inject=mo=1.3", "--record=run.json")
    assert code == 1, said
    assert "UnknownArm: --inject must name arms of the scenario, moe, dense, anchor, got mo; correct the name" in said
    assert not (folder / "run.json").exists()
