"""A table of surroundings: what each command does in them, its exit code, and the words that tell the remedy."""

import locale
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.harness import record
from tests.bench.commands import test_full_disk
from tests.bench.commands.surrounded import REFUSED, Ended, Refused, make_read_only, run_surrounded
from tests.bench.commands.test_full_disk import Case
from tests.bench.sample_records import document

pytestmark = pytest.mark.usefixtures("without_measuring")
without_measuring = test_full_disk.without_measuring
READ_ONLY = {
    "report": Case(("report", "r.json"), lambda: record.write(Path("r.json"), document("l0")), prints="2.00 ms"),
    "compare": Case(
        ("compare", "r.json", "--baseline=r.json"),
        lambda: record.write(Path("r.json"), record.merge([document(f"l{number}") for number in range(8)])),
        prints="MoE and dense unchanged",
    ),
    "a bad plan": Case(
        ("campaign", "--scale=tiny", "--plan=plan.toml", "--out=out"),
        lambda: (test_full_disk.project(), Path("plan.toml").touch()),
        code=4,
    ),
}
COMMANDS = READ_ONLY | test_full_disk.CASES
SAYS = {"a bad plan": "plan.toml must have one step or more with different names, got none; see "}
WRITING = tuple(test_full_disk.CASES)
DRAWING = {"history", "twins", "results"}  # they take longest
LOCALES = Path(tempfile.gettempdir()) / f"moevlm-locales-{os.getpid()}"


class Surroundings(NamedTuple):
    """What a process finds."""

    enter: Callable[[], object]
    encoding: str = "utf-8"


def speak(name: str) -> None:
    """Take on a locale as a program does that was started in it, and more: numbers too."""
    os.environ.update(LC_ALL=name, LANG=name, LANGUAGE=name[:2], LOCPATH=str(LOCALES))
    locale.setlocale(locale.LC_ALL, name)


def speak_turkish() -> None:
    """Take on the locale in which i and I are no pair and 1.5 is 1,5."""
    try:
        speak("tr_TR.UTF-8")
    except locale.Error as error:
        raise Refused from error
    assert locale.localeconv()["decimal_point"] == ","


def lose_home() -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ.pop(name, None)


def lose_reader() -> None:
    """Have standard output's reader end before anything is printed, as `head -0` does."""
    reads, writes = os.pipe()
    os.dup2(writes, 1)
    os.close(reads)
    os.close(writes)


def close_output() -> None:
    os.close(1)


def open_at_most(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def name_temporary(folder: str) -> None:
    os.environ["TMPDIR"] = str(Path(folder).resolve())


def make_temporary() -> None:
    Path("tmp").mkdir()
    name_temporary("tmp")


def put_files() -> None:
    """Put a file where a command makes a folder."""
    for name in ("b", "d", "out", "new"):
        shutil.rmtree(name, ignore_errors=True)
        Path(name).touch()


HARMLESS = {
    "an ASCII locale": Surroundings(lambda: speak("C"), encoding="ascii"),
    "a Turkish locale": Surroundings(speak_turkish),
    "no HOME": Surroundings(lose_home),
    "a HOME that takes no file": Surroundings(lambda: os.environ.update(HOME="/proc/nowhere")),
    "TMPDIR elsewhere": Surroundings(make_temporary),
    "TMPDIR missing": Surroundings(lambda: name_temporary("nowhere")),
    "64 open files": Surroundings(lambda: open_at_most(64)),
    "one core": Surroundings(lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})),
}


def all_of(*names: str) -> Surroundings:
    """Return several harmless surroundings at once, in the encoding of the first."""
    return Surroundings(lambda: [HARMLESS[name].enter() for name in names], HARMLESS[names[0]].encoding)


TOGETHER = {
    "ASCII and a bare machine": all_of("an ASCII locale", "no HOME", "TMPDIR elsewhere", "64 open files", "one core"),
    "Turkish and a broken user": all_of("a Turkish locale", "a HOME that takes no file", "TMPDIR missing"),
}
PERMITTED = "Read-only file system" if os.geteuid() == 0 else "Permission denied"
ELSEWHERE = "choose another path that may be written"
IN_THE_WAY = "a file stands where a folder is needed: choose another path that may be written"
OUT = {"promote": ("--baselines=new",), "twins": ("--out=out/p.md",), "results": ("--out=out/p.md",)}


@pytest.fixture(scope="module", autouse=True)
def locales() -> Iterator[None]:
    """Make the Turkish locale, which few machines have, where its source is."""
    made = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(LOCALES / "tr_TR.UTF-8")]
    LOCALES.mkdir()
    if shutil.which(made[0]):
        subprocess.run(made, check=False, capture_output=True)
    yield
    shutil.rmtree(LOCALES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(name: str, surroundings: Surroundings, *more: str) -> Ended:
    """Run a command in its surroundings; whatever these are, nobody sees a trace."""
    COMMANDS[name].prepare()
    ended = run_surrounded(surroundings.enter, [*COMMANDS[name].arguments, *more], encoding=surroundings.encoding)
    if ended.code == REFUSED:
        pytest.skip("the system gives no such surroundings: no source of the locale, or no right to mount")
    assert "Traceback" not in ended.said, ended
    return ended


def check_harmless(name: str, surroundings: Surroundings) -> None:
    """Run a command in surroundings that must be in nobody's way."""
    ended = run(name, surroundings)
    assert ended.code == COMMANDS[name].code, ended
    assert COMMANDS[name].prints in ended.printed
    assert SAYS.get(name, "") in ended.said
    assert list(Path().glob("tmp/*")) == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in DRAWING])
@pytest.mark.parametrize("several", TOGETHER)
@pytest.mark.usefixtures("folder")
def test_several_surroundings_at_once_are_in_nobody_s_way(several: str, name: str) -> None:
    check_harmless(name, TOGETHER[several])


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("surroundings", HARMLESS)
@pytest.mark.usefixtures("folder")
def test_surroundings_that_are_in_nobody_s_way(surroundings: str, name: str) -> None:
    check_harmless(name, HARMLESS[surroundings])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("folder")
def test_a_read_only_checkout(name: str) -> None:
    ended = run(name, Surroundings(make_read_only))
    if name in WRITING:
        assert ended.code == 16, ended
        assert f" must be writable, got {PERMITTED}; {ELSEWHERE}" in ended.said
    else:
        assert ended.code == COMMANDS[name].code, ended
        assert COMMANDS[name].prints in ended.printed
        assert SAYS.get(name, "") in ended.said


@pytest.mark.parametrize("name", sorted({*WRITING} - {"qualify"}))  # which writes beside what it reads
@pytest.mark.usefixtures("folder")
def test_a_file_where_a_folder_is_needed(name: str) -> None:
    ended = run(name, Surroundings(put_files), *OUT.get(name, ()))
    assert ended.code == 16, ended
    assert IN_THE_WAY in ended.said


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if COMMANDS[name].prints or name in ("promote", "baseline")]
)
@pytest.mark.parametrize(("enter", "code"), [(lose_reader, 141), (close_output, 16)])
@pytest.mark.usefixtures("folder")
def test_a_reader_that_has_gone_and_an_output_that_is_closed(name: str, enter: Callable[[], None], code: int) -> None:
    ended = run(name, Surroundings(enter))
    assert ended.code == code, ended
    closed = f"error: standard output must be writable, got a closed one; {ELSEWHERE}"
    assert (closed in ended.said) == (code == 16), ended
    assert "BrokenPipe" not in ended.said


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("folder")
def test_no_file_more_can_be_opened(name: str) -> None:
    ended = run(name, Surroundings(lambda: open_at_most(3)))
    assert ended.code == 16, ended
    assert "got Too many open files; raise the limit of open files, `ulimit -n`" in ended.said
