"""Tests of whole runs: a small project with two scenarios, each test a pytest process of its own."""

import copy
import json
import math
import platform
import random
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from bench.harness import record
from bench.harness.record import Record
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

REPOSITORY = Path(__file__).parents[3]
LAUNCH_SD = 0.15  # of the baseline's launches, so that a loaded machine is no regression
SCENARIOS = ["bench_x[64]", "bench_x[96]"]

INI = f"""
[pytest]
pythonpath = {REPOSITORY}
python_files = bench_*.py
python_functions = bench_*
addopts = --import-mode=importlib --benchmark-quiet -p no:cacheprovider --scenario-budget=0.02
"""
CONFTEST = """
import torch
pytest_plugins = ["bench.plugin"]

def pytest_measured_setup(config):
    torch.set_num_threads(1)
    return {"device": torch.device("cpu"), "dtype": torch.float32, "num_threads": 1,
            "axes": {"size": ["64", "96"]}, "launch_options": ["--scenario-budget=0.02"]}

def pytest_measured_devices(config):
    return ["cpu"]
"""
BENCH = """
import pytest, torch
from bench.harness.metrics import TTFT

@pytest.mark.parametrize("size", [64, 96])
def bench_x(paired, size):
    matrix = torch.randn(size, size)

    def call(arm):
        for _ in range({"moe": 20, "dense": 40}[arm]):
            product = matrix @ matrix
        return product

    paired.measure(call, arms=["moe", "dense"], check=lambda arm: None, metric=TTFT, anchor="matmul",
                   rates={"req_per_s": 1.0}, hashes={"workload": "w", "routing": "r"})
    ENDING
"""


def make_project(folder: Path, ending: str = "pass") -> Path:
    """Write a project whose scenarios end with a statement."""
    (folder / "bench").mkdir(parents=True)
    (folder / "pytest.ini").write_text(INI)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "bench" / "bench_x.py").write_text(BENCH.replace("ENDING", ending))
    return folder


class First:
    """A first run of the project, without a baseline, and the baseline made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_project(folder)
        self.ended = run_pytest(self.folder, "bench", "--benchmark-json=plain.json")
        (self.path,) = (self.folder / "records").glob("*.json")
        self.document = record.read(self.path)
        self.baseline = record.merge([self._launch(i) for i in range(8)])

    def _launch(self, number: int) -> dict[str, Any]:
        """Return the record as another launch would have left it: each arm by chance a little faster or slower."""
        rng, launch = random.Random(number), copy.deepcopy(self.document)
        for entry in launch["benchmarks"]:
            factor = math.exp(rng.gauss(0, LAUNCH_SD / math.sqrt(2)))
            for part in entry["extra_info"]["moevlm"]["launches"]:
                part.update(id=f"l{number}", samples=[sample * factor for sample in part["samples"]])
        return launch


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    return First(tmp_path_factory.mktemp("whole") / "first")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def with_baseline(folder: Path, baseline: dict[str, Any]) -> Path:
    path = folder / "baseline.json"
    record.write(path, record.seal(baseline))
    return path


def run(folder: Path, *options: str) -> Ended:
    return run_pytest(folder, "bench", "--record=run.json", *options)


def measured(folder: Path) -> Record:
    return record.load(folder / "run.json")


def test_without_a_baseline_the_figures_are_shown_with_a_hint(first: First) -> None:
    assert first.ended.code == 0, first.ended.said
    said = first.ended.said
    assert "MISSING: no baseline" in said
    assert "python -m bench promote RECORD... --reason TEXT" in said
    assert all(f"{name} " in said and "req/s" in said for name in SCENARIOS)
    assert "2 scenarios measured in" in said
    markdown = first.path.with_suffix(".md").read_text()
    assert all(f"| {name} " in markdown for name in SCENARIOS)


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
    assert [entry["name"] for entry in first.document["benchmarks"][:3]] == [
        "bench_x[64]",
        "bench_x[64]:dense",
        "bench_x[64]:anchor",
    ]


def test_require_without_a_baseline_ends_13_and_keeps_the_record(folder: Path) -> None:
    ended = run(folder, "--compare=require")
    assert ended.code == 13, ended.said
    assert list(measured(folder).scenarios) == SCENARIOS


def test_unchanged_code_ends_0_under_require(first: First, folder: Path) -> None:
    baseline = with_baseline(folder, first.baseline)
    ended = run(folder, "--compare=require", f"--baseline={baseline}")
    assert ended.code == 0, ended.said
    assert "2 compared" in ended.said
    assert "REGRESSED" not in ended.said


def test_a_slower_moe_ends_10_and_names_its_scenarios(first: First, folder: Path) -> None:
    baseline = with_baseline(folder, first.baseline)
    ended = run(folder, f"--baseline={baseline}", "--inject=moe=4", "--junitxml=junit.xml")
    assert ended.code == 10, ended.said
    failures = [
        (case.get("name"), case[0].get("message", ""))
        for case in ET.parse(folder / "junit.xml").getroot().iter("testcase")
        if case.find("failure") is not None
    ]
    assert [name for name, _ in failures] == [f"verdict of {name}" for name in SCENARIOS]
    for name, message in failures:
        assert f"{name}".removeprefix("verdict of ") in message
        assert "REGRESSED, in MoE: moe/dense +" in message
    assert measured(folder).injected == {"moe": 4.0}


def test_a_named_baseline_of_another_machine_fails_no_run_that_does_not_require_it(first: First, folder: Path) -> None:
    other = copy.deepcopy(first.baseline)
    other["moevlm"]["kind"]["device_model"] = "Acme 1"
    ended = run(folder, f"--baseline={with_baseline(folder, other)}")
    assert ended.code == 0, ended.said
    assert "NOT_COMPARABLE: " in ended.said
    assert "device_model: Acme 1 / " in ended.said


def renamed(baseline: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return dict(json.loads(json.dumps(baseline).replace(old, new)))


def test_a_renamed_function_is_missing_under_require(first: First, folder: Path) -> None:
    baseline = with_baseline(folder, renamed(first.baseline, "bench_x[96]", "bench_y[96]"))
    ended = run(folder, "--compare=require", f"--baseline={baseline}")
    assert ended.code == 13, ended.said
    assert "bench_y[96]: MISSING" in ended.said
    assert "1 MISSING, 1 NEW, 1 OK" in ended.said


def test_a_failing_scenario_ends_1_and_is_not_in_the_record(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", ending="assert size == 64")
    ended = run(folder, "--compare=require")
    assert ended.code == 1, ended.said
    assert list(measured(folder).scenarios) == ["bench_x[64]"]
    assert not measured(folder).complete
    document = record.read(folder / "run.json")
    assert document["moevlm"]["failed"] == ["bench_x[96]"]


def test_an_interrupted_run_leaves_the_finished_scenarios(first: First, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", ending="if size == 96: raise KeyboardInterrupt")
    ended = run(folder, f"--baseline={with_baseline(folder, first.baseline)}", "--inject=moe=2.5")
    assert ended.code == 2, ended.said
    assert list(measured(folder).scenarios) == ["bench_x[64]"]
    assert not measured(folder).complete
    assert "fresh process" not in ended.said


def test_a_slowdown_of_an_arm_that_there_is_not_ends_4_before_anything_is_measured(folder: Path) -> None:
    ended = run(folder, "--inject=mo=1.3")
    assert ended.code == 4, ended.said
    assert "Exit: --inject must name arms of the scenario, moe, dense, anchor, got mo; correct the name" in ended.said
    assert not measured(folder).scenarios


def test_a_record_that_cannot_be_written_ends_16(folder: Path) -> None:
    ended = run_pytest(folder, "bench", "--record=conftest.py/run.json")
    assert ended.code == 16, ended.said
    assert "FAILED: conftest.py/run.json must be writable" in ended.said
    assert "req/s" in ended.said  # the figures are shown all the same


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-n2",), "scenarios must not share a device"),
        (("--benchmark-disable", "--compare=require"), "--compare=require must measure, got --benchmark-disable"),
        (("--inject=moe=0.5",), "argument --inject: must be ARM=FACTOR,... with factors from 1 to 100, got 'moe=0.5'"),
        (
            ("--time-budget=0",),
            "argument --time-budget: a time must be above 0, in s, m or h, like 90s or 20m, got '0'",
        ),
        (("--scenario-budget=nan",), "argument --scenario-budget: a time must be above 0, in s, m or h"),
    ],
)
def test_options_that_make_no_sense_end_4_before_anything_is_measured(
    folder: Path, options: tuple[str, ...], message: str
) -> None:
    ended = run(folder, *options)
    assert ended.code == 4, ended.said
    assert message in ended.said
    assert not (folder / "run.json").exists()


def test_a_selection_by_k_is_marked_and_misses_nothing(first: First, folder: Path) -> None:
    baseline = with_baseline(folder, first.baseline)
    ended = run(folder, "-k", "64", "--compare=require", f"--baseline={baseline}")
    assert ended.code == 0, ended.said
    assert "MISSING" not in ended.said
    assert measured(folder).filtered
    assert measured(folder).complete
