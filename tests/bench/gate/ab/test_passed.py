"""Tests of what stands after --: paths from options, seen from any folder of the clone."""

from pathlib import Path

import pytest

from bench.gate.ab.passed import Passed, read_passed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bench" / "deep").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    for name in ("bench/bench_x.py", "bench/deep/bench_y.py", "docs/tiny"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("here", "arguments", "paths", "options"),
    [
        (".", ["--scale", "tiny", "bench/bench_x.py"], ["bench/bench_x.py"], ["--scale", "tiny"]),
        ("docs", ["../bench/bench_x.py", "--scale", "tiny"], ["bench/bench_x.py"], ["--scale", "tiny"]),
        ("docs", ["bench/deep"], ["bench/deep"], []),
        ("bench", ["bench_x.py::bench_x[a/b-1]"], ["bench/bench_x.py::bench_x[a/b-1]"], []),
        (".", ["bench/none.py", "docs/tiny", "-m", "not slow"], [], ["bench/none.py", "docs/tiny", "-m", "not slow"]),
        (".", [], [], []),
    ],
)
def test_what_holds_scenarios_is_a_path_and_all_else_is_passed_on(
    root: Path, here: str, arguments: list[str], paths: list[str], options: list[str]
) -> None:
    assert read_passed(arguments, root=root, here=root / here, scenarios="bench") == Passed(paths, options)


@pytest.mark.parametrize("option", ["--compare=require", "--record", "--inject=moe=1.3", "--time-budget=1s"])
def test_the_harness_s_own_options_would_do_nothing_and_are_refused(root: Path, option: str) -> None:
    with pytest.raises(ValueError, match=f"must be the scenarios', got {option}, the harness's own; leave it out"):
        read_passed(["--scale", "tiny", option], root=root, here=root, scenarios="bench")


def test_one_expression_is_enough(root: Path) -> None:
    assert read_passed(["-k", "a"], root=root, here=root, scenarios="bench").options == ["-k", "a"]
    with pytest.raises(ValueError, match="got --scenarios and -k; put both into --scenarios"):
        read_passed(["-k", "a"], root=root, here=root, scenarios="bench", expression="b")
