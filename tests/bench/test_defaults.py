"""A project without hooks of its own: it measures on what three options say, or says itself what it measures on."""

from pathlib import Path

import pytest

from bench.harness.record import load
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

REPOSITORY = Path(__file__).parents[2]
INI = f"""
[pytest]
pythonpath = {REPOSITORY}
python_files = bench_*.py
python_functions = bench_*
addopts = --import-mode=importlib --benchmark-quiet -p no:cacheprovider -p no:hypothesispytest --scenario-budget=0.01
"""
CONFTEST = """
import bench.harness.peaks as peaks

pytest_plugins = ["bench.plugin"]
peaks.COPY_BYTES["cpu"], peaks.MATMUL_SIZE["cpu"] = 2**12, 16  # nobody looks at this project's peaks
"""
WITH_DEFAULTS = CONFTEST.replace('["bench.plugin"]', '["bench.plugin", "bench.defaults"]')
OWN_SETUP = """
import torch

def pytest_measured_setup(config):
    torch.set_num_threads(2)
    return {"device": torch.device("cpu"), "dtype": torch.float64, "num_threads": 2, "axes": {}, "launch_options": []}
"""
BENCH = """
import torch
from bench.harness.metrics import LATENCY

def bench_sum(paired, measured_setup):
    ones = torch.ones(8, device=measured_setup["device"], dtype=measured_setup["dtype"])

    def check(arm):
        assert ones.sum() == 8 and torch.get_num_threads() == measured_setup["num_threads"]

    paired.measure(lambda arm: ones.sum(), arms=["moe", "dense"], check=check, metric=LATENCY, anchor="dispatch")
"""


def measure(folder: Path, conftest: str, *options: str) -> Ended:
    (folder / "bench").mkdir()
    for name, text in {"pytest.ini": INI, "conftest.py": conftest, "bench/bench_sum.py": BENCH}.items():
        (folder / name).write_text(text)
    return run_pytest(folder, "bench", "--compare=off", "--record=record.json", *options)


@pytest.mark.parametrize(
    ("conftest", "options", "expected"),
    [
        (WITH_DEFAULTS, ["--device=cpu"], ("float32", 1)),
        (WITH_DEFAULTS, ["--device=cpu", "--dtype=bfloat16", "--threads=2"], ("bfloat16", 2)),
        (WITH_DEFAULTS + OWN_SETUP, ["--device=cpu", "--dtype=bfloat16"], ("float64", 2)),
    ],
)
def test_what_is_measured_on_is_the_options_unless_the_project_has_a_say(
    tmp_path: Path, conftest: str, options: list[str], expected: tuple[str, int]
) -> None:
    ended = measure(tmp_path, conftest, *options)
    assert ended.code == 0, ended.said
    record = load(tmp_path / "record.json")
    assert (record.kind["device"], record.kind["dtype"], record.kind["num_threads"]) == ("cpu", *expected)
    if conftest == WITH_DEFAULTS:  # a fresh process is given the same
        dtype = options[1:2] or ["--dtype=auto"]
        assert record.options["arguments"] == ["--device=cpu", *dtype, f"--threads={expected[1]}"]


@pytest.mark.parametrize(
    ("conftest", "options", "said"),
    [
        (
            CONFTEST,
            [],
            "must say on what it measures, got no answer of pytest_measured_setup",
        ),
        (WITH_DEFAULTS, ["--device=cuda:99"], "device must be one of auto, cpu"),
        (WITH_DEFAULTS, ["--threads=0"], "num_threads must be at least 1, got 0; raise it"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(tmp_path: Path, conftest: str, options: list[str], said: str) -> None:
    ended = measure(tmp_path, conftest, *options)
    assert (ended.code, said in ended.said) == (4, True), ended.said
