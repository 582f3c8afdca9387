"""Which cores a launch takes, and that a process stays on them with all its threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.gate.ab.cores import allowed_cores, keep_on, shared_cores

THREADS = """
import threading, time
for _ in range(2):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("started", flush=True)
time.sleep(60)
"""
CORES = allowed_cores()
needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason=f"needs two cores to choose from, got {sorted(CORES)}")


@pytest.mark.parametrize(
    ("num_threads", "allowed", "by_launch"),
    [
        (1, {0, 1}, [{0}, {1}, {0}]),
        (1, {2, 5, 11}, [{2}, {5}, {11}]),
        (2, {0, 1, 2, 3, 4}, [{0, 1}, {2, 3}, {0, 1}]),
        (2, {0, 1, 2}, [set(), set(), set()]),
        (4, {0, 1}, [set(), set(), set()]),
        (0, {0, 1}, [set(), set(), set()]),
        (1, {0}, [set(), set(), set()]),
        (1, set(), [set(), set(), set()]),
    ],
    ids=["one thread", "a gap", "two threads", "no choice", "too few", "not known", "one core", "not told"],
)
def test_cores_change_from_launch_to_launch(num_threads: int, allowed: set[int], by_launch: list[set[int]]) -> None:
    assert [shared_cores(number, num_threads, allowed) for number in range(3)] == by_launch


@pytest.fixture
def started() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", THREADS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


@needs_two_cores
def test_all_threads_of_a_process_stay_on_the_cores(started: subprocess.Popen[str]) -> None:
    keep_on(started.pid, [max(CORES)])
    threads = [int(folder.name) for folder in Path(f"/proc/{started.pid}/task").iterdir()]
    assert len(threads) == 3
    assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {frozenset([max(CORES)])}
    assert allowed_cores() == CORES  # not this one


@needs_two_cores
def test_no_cores_leave_a_process_as_it_is_and_one_that_is_gone_is_no_error(started: subprocess.Popen[str]) -> None:
    keep_on(started.pid, frozenset())
    assert os.sched_getaffinity(started.pid) == CORES
    started.kill()
    started.wait()
    keep_on(started.pid, [min(CORES)])
