"""Tests of what is asked of git."""

import os
import subprocess
from pathlib import Path

from bench.gate.git import git_files, git_says

CONTENTS = {
    "a.json": b"{}\n",
    "empty": b"",
    "lines": b"\nx blob 3\n\n",
    "bytes": b"\xff\x00\r\n",
    "with space": b"x" * 10**6,
}


def test_an_answer_that_is_no_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "latin"], check=True)
    assert b"+caf\xe9" in os.fsencode(git_says(tmp_path, "diff", "--cached"))


def test_the_bytes_that_were_committed_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "below"
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    (folder / "a.json").write_text("changed since")
    asked = [*CONTENTS, "missing", *CONTENTS]
    expected = [CONTENTS.get(name, b"") for name in asked]
    assert git_files(folder, [f"HEAD:./{name}" for name in asked]) == expected
    assert git_files(folder, ["HEAD:below", "a b", "HEAD:./lines"]) == [b"", b"", CONTENTS["lines"]]
    assert git_files(tmp_path.parent, ["HEAD:./a.json"]) == [b""]
