"""Tests of what is asked of git."""

import os
import subprocess
from pathlib import Path

from bench.gate.git import git_says


def test_an_answer_that_is_no_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "latin"], check=True)
    assert b"+caf\xe9" in os.fsencode(git_says(tmp_path, "diff", "--cached"))
