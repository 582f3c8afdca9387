"""Tests of what a project says of itself: defaults, its root, and mistakes, told with rule, value and remedy."""

import re
from pathlib import Path

import pytest

from bench.harness.measuring import scenarios_folder
from bench.harness.options import read_options
from bench.harness.project import FILE, ProjectTable, find_root, read_project


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / FILE).write_text(text)
    return folder


def test_every_key_is_read_and_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert read_project(tmp_path) == ProjectTable(package="", source=".", scenarios="bench", baselines="baselines")
    write(tmp_path, '[tool.moevlm-bench]\npackage = "tinymoe"\nsource = "src"\nscenarios = "speed/cases"\n')
    expected = ProjectTable(package="tinymoe", source="src", scenarios="speed/cases", baselines="baselines")
    assert read_project(tmp_path) == expected


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ('pakage = "x"', "keys must be among package, source, scenarios, baselines, got 'pakage'; correct or drop it"),
        ("scenarios = 3", "scenarios must be a text, got 3; write it in quotes"),
        ('scenarios = ""', "scenarios must be a text, got ''"),
        ('package = "tiny-moe"', "package must be the name that is imported, without dots, got 'tiny-moe'"),
        ('package = "acme.moe"', "package must be the name that is imported, without dots, got 'acme.moe'"),
        ('baselines = "/var/lib"', "baselines must be a folder of the project, got '/var/lib'"),
        ('source = "../other"', "source must be a folder of the project, got '../other'"),
    ],
)
def test_a_mistake_is_named_with_file_rule_and_value(tmp_path: Path, table: str, rule: str) -> None:
    write(tmp_path, f"[tool.moevlm-bench]\n{table}\n")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / FILE}, [tool.moevlm-bench]: {rule}")):
        read_project(tmp_path)


def test_a_key_in_the_tables_place_and_a_file_that_is_no_toml_are_refused(tmp_path: Path) -> None:
    write(tmp_path, '[tool]\nmoevlm-bench = "tinymoe"\n')
    with pytest.raises(ValueError, match=r"must be a table, got 'tinymoe'; write package = \"NAME\" below it"):
        read_project(tmp_path)
    write(tmp_path, "[tool.moevlm-bench\n")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / FILE}: must be TOML, got ")):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\xff", "must be UTF-8"),
        (b"a = 1" + b"0" * 5000, "must hold numbers and dates of a size"),
        (b"a = " + b"[" * 9000 + b"]" * 9000, "must be nested 64 deep at most"),
        (b"# " + b"x" * 2**20, "must hold 1048576 bytes at most"),
    ],
)
def test_a_file_that_no_parser_should_meet_is_refused(tmp_path: Path, content: bytes, rule: str) -> None:
    (tmp_path / FILE).write_bytes(content)
    for read in (read_project, find_root):
        with pytest.raises(ValueError, match=f"^{re.escape(f'{tmp_path / FILE}: {rule}')}.*; mend it$"):
            read(tmp_path)


def test_what_other_tools_have_in_the_file_is_theirs(tmp_path: Path) -> None:
    write(tmp_path, '[tool.other]\nlimit = inf\nseed = 36893488147419103232\n[tool.moevlm-bench]\npackage = "a"\n')
    assert read_project(tmp_path).package == "a"


def test_the_root_is_the_nearest_folder_with_the_table_else_with_the_file(tmp_path: Path) -> None:
    inner = write(tmp_path / "packages" / "inner", "")
    (inner / "tests").mkdir()
    assert find_root(inner / "tests") == inner
    write(tmp_path, "[tool.moevlm-bench]\n")
    assert find_root(inner / "tests") == tmp_path
    write(inner, "[tool.moevlm-bench]\n")
    assert find_root(inner / "tests") == inner


def test_no_file_above_is_no_root(tmp_path: Path) -> None:
    assert find_root(tmp_path) is None


def config_of(pytestconfig: pytest.Config, root: Path) -> pytest.Config:
    config = pytest.Config.fromdictargs({"rootdir": str(root)}, [])
    config.option = pytestconfig._parser.parse(["--device=cpu"])
    return config


def test_pytest_finds_scenarios_and_baselines_where_the_table_says(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    write(tmp_path, '[tool.moevlm-bench]\nscenarios = "benchmarks"\nbaselines = "speed/base"\n')
    config = config_of(pytestconfig, tmp_path)
    assert scenarios_folder(config) == tmp_path / "benchmarks"
    assert read_options(config).baselines == tmp_path / "speed" / "base"


def test_a_mistake_in_the_table_is_a_usage_error_of_pytest(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    config = config_of(pytestconfig, write(tmp_path, "[tool.moevlm-bench]\nx = 1\n"))
    for reading in (scenarios_folder, read_options):
        with pytest.raises(pytest.UsageError, match=r"keys must be among .*, got 'x'"):
            reading(config)
