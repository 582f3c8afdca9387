"""Tests of the process apart within a session: forked before scenarios are collected, gone where nobody asks for it."""

import gc
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.harness import record
from bench.plugin import ApartSession
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_pytest

PACKAGE = """
KEPT = []

def num_kept():
    return len(KEPT)
"""
BENCH = """
import moevlm, pytest
from bench.harness.metrics import KEPT_BYTES

moevlm.KEPT.append("at collection")

@pytest.mark.parametrize("size", [1, 2])
def bench_x(paired, apart, size):
    moevlm.KEPT.append(size)
    paired.observe(lambda arm: 1.0 + apart.run(moevlm.num_kept), arms=["moe", "dense"], metric=KEPT_BYTES)
"""


def test_scenarios_find_a_process_that_neither_collection_nor_another_scenario_has_touched(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    (folder / "bench" / "bench_x.py").write_text(BENCH)
    (folder / "moevlm" / "__init__.py").write_text(PACKAGE)
    ended = run_pytest(folder, "bench", "--record=run.json", "--compare=off")
    assert ended.code == 0, ended.said
    scenarios = record.load(folder / "run.json").scenarios
    assert list(scenarios) == ["bench_x[1]", "bench_x[2]"]
    for scenario in scenarios.values():
        assert [arm.launches[0].samples for arm in scenario.arms.values()] == [(1.0,), (1.0,)]


def is_imported(name: str) -> bool:
    return name in sys.modules


def test_processes_find_imported_what_the_session_was_told() -> None:
    session = ApartSession(["wave"])
    session.pytest_sessionstart()
    assert session.apart.run(is_imported, "wave")
    assert not session.apart.run(is_imported, "antigravity")
    session.pytest_unconfigure()


@pytest.mark.parametrize(("names", "is_kept"), [(["paired", "apart"], True), (["paired"], False)])
def test_it_is_ended_where_no_scenario_asks_for_it(names: list[str], is_kept: bool) -> None:
    session = ApartSession(())
    session.pytest_sessionstart()
    origin = session.apart._origin
    collected: Any = SimpleNamespace(
        items=[SimpleNamespace(fixturenames=["paired"]), SimpleNamespace(fixturenames=names)]
    )
    session.pytest_collection_finish(collected)
    assert Path(f"/proc/{origin}").exists() is is_kept
    session.pytest_unconfigure()
    assert gc.get_freeze_count() == 0
    with pytest.raises(ChildProcessError):  # it was waited for
        os.waitpid(origin, 0)
