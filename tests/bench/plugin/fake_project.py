"""A project whose scenarios take no time: its package says what each arm takes, its clock believes it."""

import copy
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.harness import record

REPOSITORY = Path(__file__).parents[3]
SCENARIOS = ["bench_x[1]", "bench_x[2]", "bench_x[3]", "bench_x[4]"]
LAUNCH_SD = 0.01  # of a baseline's launches
SECONDS = {"moe": 2e-3, "dense": 1e-3}
INI = f"""
[pytest]
pythonpath = . {REPOSITORY}
python_files = bench_*.py
python_functions = bench_*
addopts = --import-mode=importlib --benchmark-quiet -p no:cacheprovider -p no:hypothesispytest --scenario-budget=0.02
"""
CONFTEST = """
import os, torch
import bench.gate.ab.worker_plugin as worker
import bench.harness.peaks as peaks
import bench.harness.run as run
from bench.harness.clock import Timed

pytest_plugins = ["bench.plugin"]
DEVICES = ["cpu"]
peaks.COPY_BYTES["cpu"], peaks.MATMUL_SIZE["cpu"] = 2**12, 16  # nobody looks at this project's peaks

class Scripted:
    "A clock that takes a call's result, where it is a number, for its seconds."
    calls = 0

    def measure(self, call):
        self.calls += 1
        result = call()
        seconds = result if isinstance(result, float) else 5e-4
        return Timed(seconds * (1 + 0.001 * (self.calls * 7 % 5 - 2)), result)

    def throttled(self):
        return False

    def sees_throttling(self):
        return False

run.make_clock = worker.make_clock = lambda device: Scripted()

def pytest_addoption(parser):
    parser.addoption("--device")  # `ab` names one for both sides
    parser.addoption("--scale")  # a campaign names them for all steps

def pytest_measured_setup(config):
    return {"device": torch.device("cpu"), "dtype": torch.float32, "num_threads": 1,
            "axes": {"size": ["1", "2", "3", "4"]}, "launch_options": []}

def pytest_measured_devices(config):
    return DEVICES

def pytest_measured_on(config, device):
    with open("devices", "a") as file:
        file.write(f"{os.getpid()} {device}\\n")
"""
BENCH = """
import os, signal, time
import moevlm, pytest
from bench.harness.agreement import WrongAnswer
from bench.harness.metrics import TTFT

@pytest.mark.parametrize("size", [1, 2, 3, 4])
def bench_x(paired, size):
    def call(arm):
        return moevlm.SECONDS[size][arm] * size

    def check(arm):
        CHECK

    ENDING
    paired.measure(call, arms=["moe", "dense"], check=check, metric=TTFT, anchor="dispatch",
                   hashes={"workload": "w", "routing": "r"})
"""


def write_project(folder: Path, *, ending: str = "pass", check: str = "pass", conftest: str = "") -> Path:
    """Write the project.

    Args:
        folder: where.
        ending: a statement that each scenario runs before it measures; it sees `size`.
        check: a statement that checks an arm's answer; it sees `size`, `arm` and `WrongAnswer`.
        conftest: more lines of the conftest.
    """
    (folder / "bench").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.moevlm-bench]\npackage = "moevlm"\n')
    (folder / "pytest.ini").write_text(INI)
    (folder / "conftest.py").write_text(CONFTEST + conftest)
    (folder / "bench" / "bench_x.py").write_text(BENCH.replace("ENDING", ending).replace("CHECK", check))
    write_package(folder, {})
    return folder


def write_package(folder: Path, slower: Mapping[int, Mapping[str, float]]) -> None:
    """Write the measured package: what each arm takes, by the scenario's size.

    Args:
        folder: of the project.
        slower: factors by size and arm.
    """
    seconds = {
        size: {arm: value * slower.get(size, {}).get(arm, 1.0) for arm, value in SECONDS.items()}
        for size in range(1, 5)
    }
    (folder / "moevlm").mkdir(exist_ok=True)
    (folder / "moevlm" / "__init__.py").write_text(f"SECONDS = {seconds}\n")


def baseline_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a baseline of eight launches about a record: each arm by chance a little faster or slower."""
    return record.merge([_launch(document, number) for number in range(8)])


def _launch(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    rng, launch = random.Random(number), copy.deepcopy(dict(document))
    for entry in launch["benchmarks"]:
        factor = math.exp(rng.gauss(0, LAUNCH_SD))
        for part in entry["extra_info"]["moevlm"]["launches"]:
            part.update(id=f"l{number}", samples=[sample * factor for sample in part["samples"]])
    return launch
