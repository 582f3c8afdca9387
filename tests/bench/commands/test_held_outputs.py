"""Two runs on one output: the second is refused before it measures, and told which process holds it."""

import os
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.harness.held import held
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_pytest

COMMANDS = {
    "ab": ["ab", "--base=HEAD", "--force", "--out={}"],
    "campaign": ["campaign", "--scale=tiny", "--out={}"],
    "baseline": ["baseline", "--reason=first", "--out={}", "--", "--scale=tiny"],
    "qualify": ["qualify", "--record={}/suites.jsonl", "--", "--scale=tiny"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_command_is_refused_with_the_process_that_holds_its_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    output, option = (tmp_path / "suites.jsonl", "--record") if name == "qualify" else (tmp_path, "--out")
    with held(option, output, is_file=name == "qualify"):
        assert commands.main([word.format(tmp_path) for word in COMMANDS[name]]) == 4
    said = capsys.readouterr().err
    assert f"error: {option} must name what no other run writes, got {output}, which process {os.getpid()}" in said
    assert list(tmp_path.iterdir()) == []


def test_a_second_pytest_on_one_record_is_refused_and_the_first_one_s_stays(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    record = folder / "run.json"
    record.write_text("of the first")
    with held("--record", record, is_file=True):
        ended = run_pytest(folder, "bench", f"--record={record}")
    assert ended.code == 4, ended.said
    assert f"--record must name what no other run writes, got {record}, which process {os.getpid()} holds" in ended.said
    assert record.read_text() == "of the first"
    assert run_pytest(folder, "bench", f"--record={record}", "-k", "1").code == 0
    assert not list(folder.glob(".*.lock"))
