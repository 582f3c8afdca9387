"""Whole runs: what calls free is kept from before the first scenario on, given back before each; git is asked once."""

from pathlib import Path

from bench.harness import record
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_pytest

NOTED = """
import bench.harness.measuring as measuring

def noting(what):
    def note():
        with open("heap", "a") as file:
            print(what, file=file)
    return note

measuring.keep_freed, measuring.give_back = noting("keep"), noting("give back")

def pytest_benchmark_generate_commit_info(config):
    noting("commit")()
    return {"id": "0123abc", "dirty": False}
"""
SCENARIO = """
    with open("heap", "a") as file:
        print("scenario", file=file)
"""


def test_a_run_keeps_what_calls_free_and_gives_it_back_before_each_scenario(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending=SCENARIO.strip().replace("\n    ", "\n    "), conftest=NOTED)
    ended = run_pytest(folder, "bench", "-k", "1 or 2", "--record=run.json")
    assert ended.code == 0, ended.said
    said = (folder / "heap").read_text().splitlines()
    assert said[0] == "keep"
    assert said[said.index("scenario") - 1 :] == ["give back", "scenario", "commit", "give back", "scenario"]
    assert record.load(folder / "run.json").commit_info["id"] == "0123abc"
