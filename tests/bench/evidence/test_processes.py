"""Tests of the processes of a long measurement."""

import sys
from pathlib import Path

import pytest

from bench.evidence.processes import run_logged

SHOW = "import os; print(sorted(name for name in os.environ if name.startswith('PYTEST')))"


def test_what_the_job_gives_its_own_pytest_reaches_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER"):
        monkeypatch.setenv(name, "-n auto")
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    ended = run_logged([sys.executable, "-c", SHOW], root=tmp_path, log=tmp_path / "log")
    assert (ended.code, ended.said) in ((0, "[]"), (0, "['PYTEST_VERSION']"))
