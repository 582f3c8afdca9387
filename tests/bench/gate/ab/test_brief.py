"""The command that a comment gives asks for the same again: its own parser reads it back."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import COMMANDS
from bench.commands.command_line import parser_of
from bench.commands.parsing import split
from bench.gate.ab.brief import COMMIT_LETTERS, Brief
from bench.gate.ab.worktree import SourceTree
from bench.harness.project import ProjectTable

BASE, HEAD = "b" * 40, "a" * 40


def tree(commit: str, *, is_dirty: bool = False) -> SourceTree:
    return SourceTree(folder=Path(), tree=Path(), commit=commit, is_dirty=is_dirty, has_package=True)


def brief(**fields: Any) -> Brief:
    given = {"root": Path(), "project": ProjectTable(package="moevlm"), "base": "main", "head": None, **fields}
    return Brief(**{"arguments": (), "budget_s": 90.0, **given})


def read(command: str) -> tuple[dict[str, Any], list[str]]:
    ours, passed = split(shlex.split(command)[3:])
    return vars(parser_of(COMMANDS, ours[:1]).parse_args(ours)), passed


def test_every_option_comes_back() -> None:
    asked = brief(
        expression="decode and b1",
        arguments=["--scale", "tiny"],
        paths=["bench/bench_decode.py"],
        side_arguments={"head": ["--inject=moe=1.3"]},
        accept_answers="a new epsilon",
        force=True,
        profile=True,
    )
    options, passed = read(asked.command(tree(BASE), tree(HEAD)))
    assert (options["base"], options["head"]) == (BASE[:COMMIT_LETTERS], HEAD[:COMMIT_LETTERS])
    assert (options["scenarios"], options["budget"], options["inject"]) == ("decode and b1", 90.0, {"moe": 1.3})
    assert (options["accept_answers"], options["force"], options["profile"]) == ("a new epsilon", True, True)
    assert passed == ["--scale", "tiny", "bench/bench_decode.py"]


@pytest.mark.parametrize("is_dirty", [True, False])
def test_what_no_commit_holds_is_the_working_tree(is_dirty: bool) -> None:
    options, passed = read(brief().command(tree(BASE), tree(HEAD, is_dirty=is_dirty)))
    assert (options["head"] is None) == is_dirty
    assert (options["force"], options["profile"], passed) == (False, False, [])
