"""What measures and trains, as whole processes in surroundings: exit codes, and the words that tell the remedy."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.commands import test_surroundings
from tests.bench.commands.surrounded import make_read_only
from tests.bench.commands.test_surroundings import ELSEWHERE, LOCALES, PERMITTED
from tests.bench.plugin.fake_project import REPOSITORY, write_project
from tests.bench.plugin.fresh_pytest import outside_xdist

pytestmark = pytest.mark.long
locales = test_surroundings.locales


class Command(NamedTuple):
    """A command in a small project, what it prints where nothing is in its way, and how it ends where something is."""

    arguments: tuple[str, ...]
    prints: str
    unwritable: str  # what a read-only checkout does not take
    unread: int = 141  # exit code where nobody reads its output


COMMANDS: Mapping[str, Command] = {
    "pytest bench": Command(
        ("-m", "pytest", "bench", "-k", "bench_x and 1", "--compare=off", "--record=run.json"),
        "1 scenario measured in",
        "run.json must be writable",
        unread=1,  # pytest's own
    ),
    "ab": Command(
        ("-m", "bench", "ab", "--base=HEAD", "--out=out"),
        "1 IDENTICAL",
        "out/ab.json must be writable",
    ),
    "training": Command(
        (
            *("-m", "fixtures.training", "--recipe=seconds", "--tasks=documents", "--variants=dense", "--seeds=0"),
            "--out=twins",
        ),
        "score them: python -m bench.front.trained score twins",
        "twins must open",
    ),
}
BARE = {
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "HOME": None,
    "TMPDIR": "tmp",
}
TURKISH = {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr", "LOCPATH": str(LOCALES), "HOME": "/proc/nowhere"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    printed: str
    said: str


def have_little() -> None:
    """Have one core and few open files."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project under version control."""
    folder = write_project(tmp_path / "project")
    user = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "."), (*user, "commit", "-qm", "x")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def run(
    name: str,
    folder: Path,
    changed: Mapping[str, str | None],
    enter: Callable[[], object] = lambda: None,
    output: int = subprocess.PIPE,
) -> Ended:
    """Run a command in a project; training, which needs the real model, in an empty folder."""
    if name == "training":
        folder = folder.parent / "empty"
    (folder / "tmp").mkdir(parents=True)
    environment = {**outside_xdist(), "COLUMNS": "200", "PYTHONPATH": str(REPOSITORY), **changed}
    kept = {key: value for key, value in environment.items() if value is not None}
    command: Sequence[str] = [sys.executable, *COMMANDS[name].arguments]
    try:
        ended = subprocess.run(
            command, cwd=folder, env=kept, preexec_fn=enter, stdout=output, stderr=subprocess.PIPE, check=False
        )
    except subprocess.SubprocessError:
        pytest.skip("the system gives no such surroundings: no right to mount")
    printed, said = ((stream or b"").decode(errors="replace") for stream in (ended.stdout, ended.stderr))
    assert "Traceback" not in printed + said, (printed, said)
    return Ended(ended.returncode, printed, said)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("changed", "enter"), [(BARE, have_little), (TURKISH, lambda: None)], ids=["bare", "Turkish"])
def test_surroundings_that_are_in_nobody_s_way(
    project: Path, changed: Mapping[str, str | None], enter: Callable[[], None], name: str
) -> None:
    if changed is TURKISH and not (LOCALES / "tr_TR.UTF-8").exists():
        pytest.skip("the system gives no such surroundings: no source of the locale")
    ended = run(name, project, changed, enter)
    assert ended.code == 0, ended
    assert COMMANDS[name].prints in ended.printed
    assert list(project.parent.glob("*/tmp/*")) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_checkout(project: Path, name: str) -> None:
    ended = run(name, project, {}, make_read_only)
    assert ended.code == 16, ended
    assert f"{COMMANDS[name].unwritable}, got {PERMITTED}; {ELSEWHERE}" in ended.printed + ended.said
    assert "record: " not in ended.printed


@pytest.mark.parametrize("name", ["pytest bench", "ab"])
def test_a_reader_that_has_gone(project: Path, name: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    ended = run(name, project, {}, output=writes)
    os.close(writes)
    assert ended.code == COMMANDS[name].unread, ended
    assert "BrokenPipe" not in ended.said
    assert "Exception" not in ended.said
