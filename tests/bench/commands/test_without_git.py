"""Without git on PATH: what needs it ends 4 with the remedy and writes nothing, instead of leaving commits out."""

from pathlib import Path

import pytest

from bench import __main__ as commands
from tests.bench.commands.test_full_disk import CASES, files


@pytest.mark.parametrize("name", ["promote", "baseline", "history"])
def test_what_needs_git_names_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    CASES[name].prepare()
    before = files()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands.main(CASES[name].arguments) == 4
    assert "this needs git, got none on PATH (No such file or directory); install it" in capsys.readouterr().err
    assert files() == before
