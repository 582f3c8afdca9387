"""Tests of starting fresh processes, with a script in Python's place."""

import sys
from pathlib import Path

import pytest

from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.verdict import Verdict
from bench.harness.record import Record, write
from tests.bench.sample_records import SCENARIOS, document

COPY = """
pathlib.Path("arguments").write_text("\\n".join(sys.argv[1:]))
target = next(a for a in sys.argv if a.startswith("--record=")).removeprefix("--record=")
pathlib.Path(target).write_bytes(pathlib.Path("prepared.json").read_bytes())"""


def start(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, timeout_s: float = 60) -> Record:
    """Let the launcher start a script in Python's place; it gets pytest's arguments."""
    program = folder / "python"
    program.write_text(f"#!{sys.executable}\nimport sys, time, pathlib\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return Launcher(root=folder, options=["--scale=tiny"]).measure(["f.py::a"], timeout_s=timeout_s)


def test_a_fresh_process_gets_the_scenarios_and_options_and_leaves_a_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path / "prepared.json", document("fresh"))
    assert start(monkeypatch, tmp_path, COPY).launch["id"] == "fresh"
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:4] == ["-m", "pytest", "f.py::a", "--scale=tiny"]
    assert "--compare=off" in arguments


def test_a_fresh_process_does_not_see_what_the_job_gives_its_own_pytest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    of_the_job = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_XDIST_WORKER")
    for name in of_the_job:
        monkeypatch.setenv(name, "-v")
    monkeypatch.setenv("KEPT", "yes")
    write(tmp_path / "prepared.json", document("fresh"))
    start(monkeypatch, tmp_path, f"import os\npathlib.Path('seen').write_text(' '.join(os.environ))\n{COPY}")
    seen = (tmp_path / "seen").read_text().split()
    assert not set(of_the_job) & set(seen)
    assert "KEPT" in seen


def test_a_process_that_dies_has_failed_with_the_end_of_its_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(LaunchFailed, match=r"ended 7 without a record: .*no space for the model") as error:
        start(monkeypatch, tmp_path, "print('no space for the model'); sys.exit(7)")
    assert error.value.verdict is Verdict.FAILED


def test_a_process_that_outlasts_the_budget_leaves_the_matter_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(LaunchFailed, match="did not end within the 0 s left; raise --time-budget") as error:
        start(monkeypatch, tmp_path, "time.sleep(60)", timeout_s=0.2)
    assert (error.value.verdict, error.value.partial) == (Verdict.INCONCLUSIVE, None)


def test_a_process_that_outlasts_the_budget_leaves_what_it_had_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path / "prepared.json", document("fresh"))
    with pytest.raises(LaunchFailed) as error:
        start(monkeypatch, tmp_path, f"{COPY}\ntime.sleep(60)", timeout_s=3)
    assert error.value.partial is not None
    assert set(error.value.partial.scenarios) == set(SCENARIOS)
