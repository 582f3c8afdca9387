"""The plans that ship: they can be read, and name files and options that exist."""

from pathlib import Path

import pytest

from bench.evidence.campaign.plan import read_plan

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.parametrize("path", sorted(BENCH.glob("campaign*.toml")), ids=lambda path: path.stem)
def test_a_plan_names_files_and_options_that_exist(path, pytestconfig):
    for step in read_plan(path):
        assert all((BENCH / name).is_file() for name in step.files), step.name
        for option in step.options:
            pytestconfig.getoption(option.partition("=")[0].removeprefix("--").replace("-", "_"))
