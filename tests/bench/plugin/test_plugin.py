"""Tests of whole runs of a small project, each a pytest process of its own; faults have a table in test_faults.py."""

import json
import platform
import re
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.harness import record
from bench.harness.record import Record
from tests.bench.other_tools import github_pytest
from tests.bench.plugin.fake_project import SCENARIOS, baseline_of, write_package, write_project
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

# What slows a call makes it return, and so take for the scripted clock, as much more.
SLOWED = (
    "\nimport bench.harness.blocks as blocks\nblocks.slowed = lambda call, factor, device: lambda: factor * call()\n"
)
COUNTED = """
def bench_kept(paired):
    from bench.harness.metrics import KEPT_BYTES
    paired.observe({"moe": 5e7, "dense": 7e7}.get, arms=["moe", "dense"], metric=KEPT_BYTES, hashes={"workload": "w"})
"""


class First(NamedTuple):
    """A first run of the project, without the baseline that it requires."""

    folder: Path
    ended: Ended
    path: Path
    document: dict[str, Any]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    folder = write_project(tmp_path_factory.mktemp("whole") / "first")
    ended = run_pytest(folder, "bench", "--benchmark-json=plain.json", "--compare=require")
    (path,) = (folder / "records").glob("*.json")
    return First(folder, ended, path, record.read(path))


def run(folder: Path, *options: str) -> Ended:
    return run_pytest(folder, "bench", "--record=run.json", *options)


def with_baseline(folder: Path, document: dict[str, Any]) -> Path:
    record.write(folder / "baseline.json", baseline_of(document))
    return folder


def measured(folder: Path) -> Record:
    return record.load(folder / "run.json")


@pytest.mark.parametrize(
    "name", ["SIGTERM", *(pytest.param(name, marks=pytest.mark.long) for name in ("SIGINT", "SIGHUP"))]
)
def test_a_signal_ends_a_run_with_what_it_has_measured_and_how_to_go_on(tmp_path: Path, name: str) -> None:
    twice = f"os.kill(os.getpid(), signal.{name}); " * 2
    heeds = (
        "import signal, fixtures.programs.interrupt as interrupt\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which background jobs are started ignoring
        "interrupt.LONGEST_S = 600\n"  # whatever else this machine does
    )
    ending = f"if size == 3: {twice}time.sleep(60)"
    folder = write_project(tmp_path / "project", ending=ending, conftest=heeds)
    ended = run_pytest(folder, "bench", "--record=run.json")
    assert ended.code == 2, ended.said
    assert "interrupted: 2 of 4 scenarios measured; the same command with --measured=run.json and another" in ended.said
    assert list(record.load(folder / "run.json").scenarios) == SCENARIOS[:2]
    (folder / "bench" / "bench_x.py").write_text((folder / "bench" / "bench_x.py").read_text().replace(twice, ""))
    rest = run_pytest(folder, "bench", "--measured=run.json", "--record=rest.json", "-k", "not 3")
    assert rest.code == 0, rest.said
    assert list(record.load(folder / "rest.json").scenarios) == SCENARIOS[3:]


def test_without_a_baseline_the_figures_are_shown_and_kept_with_a_hint(first: First) -> None:
    assert first.ended.code == 13, first.ended.said
    said = first.ended.said
    assert "MISSING: no baseline" in said
    assert "measure and promote one: python -m bench baseline --reason TEXT" in said
    assert all(f"{name} " in said for name in SCENARIOS)
    assert "4 scenarios measured in" in said
    after = said.partition("4 scenarios measured in")[2].splitlines()[1]
    assert after.startswith('next: python -m bench baseline --reason "first of this machine"  keeps')
    markdown = first.path.with_suffix(".md").read_text()
    assert all(f"| {name} " in markdown for name in SCENARIOS)


def test_where_nothing_could_be_measured_no_next_step_is_named(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending="raise ValueError('no data')")
    ended = run_pytest(folder, "bench")
    assert "0 scenarios measured in" in ended.said
    assert "next:" not in ended.said


def test_the_next_step_has_the_options_that_were_typed_and_no_other(tmp_path: Path) -> None:
    every = """
def pytest_measured_setup(config, told=pytest_measured_setup):
    return {**told(config), "launch_options": ["--device=cpu", "--scale=tiny"]}
"""
    folder = write_project(tmp_path / "project", conftest=every)
    ended = run_pytest(folder, "bench", "--scale", "tiny")
    assert "ab --base main -- --scale=tiny  compares" in ended.said


def test_the_record_holds_the_versions_that_ran_and_both_tables_are_headed_by_them(first: First) -> None:
    found = first.document["moevlm"]["fingerprint"]
    ran = {name: version(name) for name in ("torch", "transformers", "numpy")}
    assert {**ran, "python": platform.python_version()}.items() <= found.items()
    assert first.document["version"] == version("pytest-benchmark")
    versions = f"transformers {ran['transformers']}, torch {ran['torch']}, Python {platform.python_version()}"
    header = f"{versions}, float32, 1 thread"
    markdown = first.path.with_suffix(".md").read_text()
    for text, table in ((first.ended.said, "scenario"), (markdown, "| scenario")):
        lines = text.splitlines()
        (place,) = (i for i, line in enumerate(lines) if line.startswith(header))
        assert next(line for line in lines[place + 1 :] if line).startswith(table)


def test_the_record_is_pytest_benchmarks_file_with_every_arm(first: First) -> None:
    plain = record.load(first.folder / "plain.json")
    assert json.loads((first.folder / "plain.json").read_text())["benchmarks"] == first.document["benchmarks"]
    assert list(plain.scenarios) == SCENARIOS
    assert all(list(scenario.arms) == ["moe", "dense", "anchor"] for scenario in plain.scenarios.values())
    assert plain.complete
    assert not plain.filtered
    assert plain.timing == 2  # after an untimed call; records that tell nothing are of 1
    names = [entry["name"] for entry in first.document["benchmarks"][:3]]
    assert names == ["bench_x[1]", "bench_x[1]:dense", "bench_x[1]:anchor"]


def test_other_tools_find_seconds_of_our_clock_in_every_entry_and_no_bytes(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    (folder / "bench" / "bench_x.py").open("a").write(COUNTED)
    options = ("--benchmark-json=plain.json", "--benchmark-autosave", "-k", "x and 2 or kept")
    ended = run(folder, *options)
    assert ended.code == 0, ended.said
    (saved,) = folder.glob(".benchmarks/*/*.json")
    for path in (folder / "plain.json", saved, folder / "run.json"):
        found = github_pytest(path.read_text())
        assert [name.partition("::")[2] for name in found] == [f"bench_x[2]{arm}" for arm in ("", ":dense", ":anchor")]
        assert found["bench/bench_x.py::bench_x[2]"].value == pytest.approx(1 / 4e-3, rel=0.01)
        assert found["bench/bench_x.py::bench_x[2]:dense"].value == pytest.approx(1 / 2e-3, rel=0.01)
    assert measured(folder).scenarios["bench_kept"].arms["dense"].launches[0].samples == (7e7,)
    shown = run(folder, *options, "--benchmark-compare", "--benchmark-verbose")
    assert shown.code == 0, shown.said
    assert re.search(r"bench_x\[2\] \(NOW\) +(3,99|4,00)\d,", shown.said), shown.said  # nanoseconds, and of our clock


def test_unchanged_code_ends_0_under_require_and_what_k_leaves_out_is_not_missing(first: First, tmp_path: Path) -> None:
    folder = with_baseline(write_project(tmp_path / "project"), first.document)
    ended = run(folder, "-k", "not 4", "--compare=require", "--baseline=baseline.json")
    assert ended.code == 0, ended.said
    assert "3 compared: 3 OK" in ended.said
    assert measured(folder).filtered
    assert measured(folder).complete


def test_a_slower_moe_ends_10_and_names_its_scenarios(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", conftest=SLOWED)
    assert run(folder, "-k", "1 or 2").code == 0
    with_baseline(folder, record.read(folder / "run.json"))
    ended = run(folder, "-k", "1 or 2", "--baseline=baseline.json", "--inject=moe=4", "--junitxml=junit.xml")
    assert ended.code == 10, ended.said
    failures = {
        case.get("name"): failure.get("message", "")
        for case in ET.parse(folder / "junit.xml").getroot().iter("testcase")
        for failure in case.iter("failure")
    }
    told = [*SCENARIOS[:2], "suite"]
    assert list(failures) == [f"verdict of {name}" for name in told]
    for name, message in zip(told, failures.values(), strict=True):
        assert name in message
        assert "REGRESSED, in MoE: moe/dense +" in message
    assert re.search(r"^MoE \d+ % slower, dense ", ended.said, re.MULTILINE)
    assert measured(folder).injected == {"moe": 4.0}


def test_a_run_leaves_a_page_with_its_verdicts_and_a_disk_that_takes_none_costs_nothing(
    first: First, tmp_path: Path
) -> None:
    folder = with_baseline(write_project(tmp_path / "project"), first.document)
    write_package(folder, {1: {"moe": 2.5}})
    ended = run(folder, "--baseline=baseline.json", "--report=page", "-k1")
    assert re.search(r"^report: page/index\.html, 0\.\d MB; open it in a browser", ended.said, re.MULTILINE), ended.said
    data = json.loads((folder / "page" / "data.json").read_text())
    assert [one["file"] for one in data["sources"]] == ["run.json"]
    (one,) = [one for one in data["scenarios"] if one["id"] == "bench_x[1]"]
    assert one["verdict"] in ended.said
    assert one["verdict"] not in ("", "OK")
    refused = run(folder, "--compare=off", "--report=run.json/page", "-k1")
    assert refused.code == 0, refused.said
    assert "no report: run.json/page/" in refused.said
    assert "a file stands where a folder is needed" in refused.said


def test_a_failing_scenario_ends_1_and_is_not_in_the_record(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending="assert size != 2")
    ended = run(folder, "--compare=require")
    assert ended.code == 1, ended.said
    assert list(measured(folder).scenarios) == ["bench_x[1]", "bench_x[3]", "bench_x[4]"]
    assert not measured(folder).complete
    assert record.read(folder / "run.json")["moevlm"]["failed"] == ["bench_x[2]"]


NOWHERE = "exec(compile('raise KeyboardInterrupt', '', 'exec').replace(co_linetable=b''))"  # where Python knows no line


@pytest.mark.parametrize("interrupt", ["raise KeyboardInterrupt", NOWHERE], ids=["a line", "no line"])
def test_an_interrupted_run_leaves_the_finished_scenarios_and_measures_none_again(
    first: First, tmp_path: Path, interrupt: str
) -> None:
    folder = write_project(tmp_path / "project", ending=f"if size == 2: {interrupt}")
    with_baseline(folder, first.document)
    write_package(folder, {1: {"moe": 2.5}})
    ended = run(folder, "--baseline=baseline.json")
    assert ended.code == 2, ended.said
    assert list(measured(folder).scenarios) == ["bench_x[1]"]
    assert not measured(folder).complete
    assert "fresh process" not in ended.said


def test_a_slowdown_of_an_arm_that_there_is_not_ends_4_before_anything_is_measured(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    ended = run(folder, "--inject=mo=1.3")
    assert ended.code == 4, ended.said
    assert "Exit: --inject must name arms of the scenario, moe, dense, anchor, got mo; correct the name" in ended.said
    assert not measured(folder).scenarios


def test_a_run_that_must_compare_and_holds_no_scenario_ends_13(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    (folder / "bench_nothing.py").write_text("def bench_nothing():\n    pass\n")
    ended = run_pytest(folder, "bench_nothing.py", "--compare=require")
    assert ended.code == 13, ended.said
    assert "MISSING: --compare=require must measure, got no scenario; name some, or drop it" in ended.said
    assert run_pytest(folder, "bench_nothing.py").code == 0
