"""Whole runs of a project with kernels of its own: a record tells of them; a run that lost them is no slower code."""

from pathlib import Path

from bench.harness import record
from tests.bench.plugin.fake_project import baseline_of, write_package, write_project
from tests.bench.plugin.fresh_pytest import run_pytest

HOOK = """
def pytest_measured_backends(config):
    return {"kernels": BACKEND}
"""


def test_a_run_that_lost_its_kernels_ends_16_with_the_reason_and_not_10(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", conftest=HOOK.replace("BACKEND", '(("plain", "fast"), "")'))
    assert run_pytest(folder, "bench", "--record=run.json").code == 0
    document = record.read(folder / "run.json")
    assert document["moevlm"]["backends"] == {"kernels": [["plain", "fast"], ""]}
    record.write(folder / "baseline.json", baseline_of(document))
    conftest = (folder / "conftest.py").read_text()
    (folder / "conftest.py").write_text(conftest.replace('(("plain", "fast"), "")', '(("plain",), "no compiler")'))
    write_package(folder, {size: {"moe": 4.0, "dense": 4.0} for size in range(1, 5)})
    ended = run_pytest(folder, "bench", "--baseline=baseline.json")
    assert ended.code == 16, ended.said
    assert "this run runs without kernels fast, which the baseline has: no compiler" in " ".join(ended.said.split())
    assert "REGRESSED" not in ended.said
