"""The recipe for a model of another package shows the project that is tested: each of its pieces stands there so."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "docs" / "adding.md").read_text().partition("\n## Your own model\n")[2].partition("\n## ")[0]
SHOWN = [
    textwrap.dedent(found[1]) for found in re.finditer(r"^ +```(?:toml|python)\n(.*?)^ +```$", SECTION, re.M | re.S)
]
PROJECT = ROOT / "docs" / "example"


def test_the_recipe_shows_table_plugins_and_scenario() -> None:
    assert [shown.split()[0] for shown in SHOWN] == ["[tool.moevlm-bench]", "pytest_plugins", "hashes"]


@pytest.mark.parametrize("shown", SHOWN)
def test_what_the_recipe_shows_stands_in_the_tested_project(shown: str) -> None:
    sources = [path.read_text() for name in ("*.toml", "*.py") for path in PROJECT.rglob(name)]
    assert any(shown in textwrap.dedent(source) or textwrap.indent(shown, "    ") in source for source in sources)
