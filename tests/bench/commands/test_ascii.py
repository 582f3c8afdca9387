"""A whole process in an ASCII locale, where Python reads and names files in ASCII: no word of a user is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.commands.test_full_disk import RECORDS, project, write_launches
from tests.bench.plugin.fake_project import REPOSITORY

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(REPOSITORY)}


def run_in_ascii(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, env=os.environ | ASCII, capture_output=True, check=False)


@pytest.mark.long
def test_a_reason_and_a_folder_with_an_accent_are_kept_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "forêt"
    folder.mkdir()
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "-q", "."], check=True)
    project()
    write_launches("records")
    promoted = run_in_ascii("promote", *RECORDS, "--reason=wärmer", "--baselines=é")
    assert promoted.returncode == 0, promoted
    assert len([*(folder / "é").glob("cpu*.json")]) == 1
    subprocess.run(["git", "add", "é"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "ü"], check=True)
    followed = run_in_ascii("history", "--baselines=é", "--out=ö")
    assert followed.returncode == 0, followed
    assert b"w\\xe4rmer" in followed.stdout
