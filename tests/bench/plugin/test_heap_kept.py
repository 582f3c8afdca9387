"""Whole runs: what calls free is kept from before the first scenario on, and given back before each."""

from pathlib import Path

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
"""
SCENARIO = """
    with open("heap", "a") as file:
        print("scenario", file=file)
"""


def test_a_run_keeps_what_calls_free_and_gives_it_back_before_each_scenario(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending=SCENARIO.strip().replace("\n    ", "\n    "), conftest=NOTED)
    ended = run_pytest(folder, "bench", "-k", "1 or 2")
    assert ended.code == 0, ended.said
    said = (folder / "heap").read_text().split("\n")
    assert said[0] == "keep"
    assert said[-5:] == ["give back", "scenario", "give back", "scenario", ""]
