"""The plans that ship: they can be read, and name files, programs and options that exist; CI rehearses a GPU's."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.evidence.campaign.plan import read_plan

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.parametrize("path", sorted(BENCH.glob("campaign*.toml")), ids=lambda path: path.stem)
def test_a_plan_names_files_programs_and_options_that_exist(path, pytestconfig):
    for step in read_plan(path):
        assert all((BENCH / name).is_file() for name in step.files), step.name
        assert all(find_spec(module) for module in step.program[:1]), step.name
        assert all((BENCH.parent / name).exists() for name in step.program[1:]), step.name
        for option in (*step.options, *step.rehearsal) if not step.program else ():
            pytestconfig.getoption(option.partition("=")[0].removeprefix("--").replace("-", "_"))
