"""Files of revisions, many by one process: the bytes that were committed, nothing where there is none."""

import subprocess
from pathlib import Path

from bench.gate.git import git_files

CONTENTS = {
    "a.json": b"{}\n",
    "empty": b"",
    "lines": b"\nx blob 3\n\n",
    "bytes": b"\xff\x00\r\n",
    "with space": b"x" * 10**6,
}


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
