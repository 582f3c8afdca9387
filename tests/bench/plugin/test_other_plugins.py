"""Tests beside plugins that replace the timer, multiply scenarios or run them again: stand-ins do what these do."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.harness.other_plugins import run_again
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_pytest

TIMER = """
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

class Other(BenchmarkFixture):
    def __init__(self):
        pass

@pytest.fixture
def benchmark():
    return Other()
"""
REPEATING = """
def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("__pytest_repeat_step_number")
    metafunc.parametrize("__pytest_repeat_step_number", range(2))
"""
RERUNNING = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=item, log=False)  # as if it had failed: nobody is told
    item._initrequest()
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        pytest.param(
            TIMER,
            "fixture benchmark must be pytest-benchmark's, got stand_in's; leave out its option, or the plugin itself: "
            "-p no:stand_in",
            id="timer",
        ),
        pytest.param(
            REPEATING,
            "is the baseline's key, got bench_x[0-1] by pytest_repeat_step_number; leave out --count or",
            id="repeat",
            marks=pytest.mark.long,
        ),
        pytest.param(
            RERUNNING,
            "a scenario must run once, got bench_x[1] again: a wrong or missing answer gets no second chance",
            id="rerun",
            marks=pytest.mark.long,
        ),
    ],
)
def test_what_would_spoil_a_measurement_is_a_usage_error_with_the_remedy(
    tmp_path: Path, plugin: str, says: str
) -> None:
    overriding = "from stand_in import benchmark\n" if plugin is TIMER else ""  # wins over all plugins
    folder = write_project(tmp_path / "project", conftest=overriding)
    (folder / "stand_in.py").write_text(plugin)
    ended = run_pytest(folder, "-p", "stand_in", "bench", "--compare=off", "-k1")
    assert ended.code == 4, ended.said
    assert says in " ".join(ended.said.split()), ended.said


def an_item(name: str, **params: object) -> pytest.Item:
    return cast(pytest.Item, SimpleNamespace(name=name, callspec=SimpleNamespace(params=params)))


def test_a_scenario_runs_once_under_its_own_name() -> None:
    assert run_again(an_item("bench_x[1]", size=1), {"bench_x[2]"}) == ""
    assert "got bench_x[1] again: a wrong or missing answer gets no second" in run_again(
        an_item("bench_x[1]"), {"bench_x[1]"}
    )
    assert "got bench_x[0-1] by flakefinder; leave" in run_again(an_item("bench_x[0-1]", __flakefinder=0), ())


def test_scenarios_without_pytest_benchmark_are_a_usage_error(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    ended = run_pytest(folder, "-p", "no:benchmark", "-o", "addopts=--import-mode=importlib", "bench")
    assert ended.code == 4, ended.said
    assert "scenarios need pytest-benchmark, got a run without it; drop -p no:benchmark" in ended.said
