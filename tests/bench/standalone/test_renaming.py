"""Tests of how the suite's modules get their installed names: imports change, and nothing else does."""

import ast

import pytest

from bench.standalone.packing.renaming import imported, rewrite

BEFORE = '''"""Of bench.gate.git: from bench.gate.git import nothing."""

import sys
from bench.gate.git import run_git
from bench.harness import (
    hooks,
)
from bench import plugin
from fixtures.devices import pin_device
from benchmarks.bench import of_another

said = "from bench.gate import git"


def later() -> None:
    from bench.harness.arms import ANCHOR  # bench
'''
AFTER = '''"""Of bench.gate.git: from bench.gate.git import nothing."""

import sys
from moevlm_bench.gate.git import run_git
from moevlm_bench.harness import (
    hooks,
)
from moevlm_bench import plugin
from moevlm_bench.devices import pin_device
from benchmarks.bench import of_another

said = "from bench.gate import git"


def later() -> None:
    from moevlm_bench.harness.arms import ANCHOR  # bench
'''


def test_imports_are_renamed_and_everything_else_stays() -> None:
    assert rewrite(BEFORE, "x.py") == AFTER
    assert rewrite(AFTER, "x.py") == AFTER


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import bench.plugin\n", "x.py, line 1 must be `from MODULE import NAME`, got import; write so"),
        ("\nfrom  bench.gate  import git\n", "x.py, line 2 must be `from bench.gate import NAME`, got 'from  bench"),
    ],
)
def test_a_form_that_would_keep_the_old_name_is_refused(source: str, rule: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        rewrite(source, "x.py")
    assert str(refused.value).startswith(rule)


def test_names_after_an_import_may_be_modules_too() -> None:
    found = imported("import os.path\nif x:\n    from bench.gate import git, ledger as l\n")
    assert found == {"os.path", "bench.gate", "bench.gate.git", "bench.gate.ledger"}
    assert imported(AFTER) >= {"moevlm_bench.gate.git.run_git", "sys"}
    ast.parse(rewrite(BEFORE, "x.py"))
