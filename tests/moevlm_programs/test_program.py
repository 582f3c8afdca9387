"""Tests of the last net and of errors in the system's words: one line, a code, and a trace that was really written."""

import errno
import re
from pathlib import Path

import pytest

from bench.commands.command_line import ERROR_CODES
from moevlm_programs import program
from moevlm_programs.errors import in_words, write_error
from tests.bench.plugin.fresh_pytest import Ended, run_module
from tests.full_disk import largest_file

MISTAKE = """
import tempfile
import bench.commands.report as report
def run(options):
    raise KeyError("what nobody foresaw")
report.run, tempfile.tempdir = run, PLACE
"""


def end_by_mistake(folder: Path, place: str) -> Ended:
    return run_module(folder, "bench", "report", "r.json", first=MISTAKE.replace("PLACE", repr(place)))


@pytest.mark.parametrize("place", [".", "no/such/folder"])  # then it goes to the current folder
def test_a_mistake_ends_70_in_one_line_that_names_the_written_trace(tmp_path: Path, place: str) -> None:
    ended = end_by_mistake(tmp_path, place)
    assert ended.code == 70
    (line,) = ended.said.splitlines()
    assert line.startswith("error: a mistake of this program, please report it: KeyError: 'what nobody foresaw'; ")
    found = re.search(r"the full trace is in (\S+)$", line)
    assert found is not None
    trace = Path(found[1]).read_text()
    assert Path(found[1]).parent == tmp_path
    assert "'report', 'r.json'" in trace
    assert "Traceback (most recent call last)" in trace
    assert trace.endswith("KeyError: 'what nobody foresaw'\n")


def test_where_no_folder_takes_the_trace_it_is_printed_and_no_file_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise KeyError("what nobody foresaw")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))
    for name in ("end_on_signals", "print_in_any_encoding"):  # they are for the whole process
        monkeypatch.setattr(program, name, lambda: None)
    with largest_file(10):
        assert program.run_program(fail) == 70
    said = capsys.readouterr().err
    assert "; no folder takes the full trace, so here it is:\n" in said
    assert said.endswith("KeyError: 'what nobody foresaw'\n\n")
    assert list(tmp_path.iterdir()) == []


NO_TEMPORARY = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "r.json"), 13, "r.json must exist, got no such file; check"),
        (FileNotFoundError("r.json must hold suites"), 13, "r.json must hold suites"),
        (FileNotFoundError(errno.ENOENT, "No such file"), 13, "the current folder must exist, got a removed one; cd"),
        (NO_TEMPORARY, 16, "a temporary folder must be writable, got none; name one in TMPDIR"),
        (
            write_error("r.json", OSError(errno.EROFS, "Read-only")),
            16,
            "r.json must be writable, got Read-only; ",
        ),
        (OSError(errno.ENOSPC, "No space left", "/tmp/x"), 16, "/tmp/x must open, got No space left; free disk"),
        (
            OSError(errno.EMFILE, "Too many open files"),
            16,
            "a file must open, got Too many open files; ",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 16, "raise the limit of open files, `ulimit -n`"),
        (
            PermissionError(errno.EACCES, "Permission denied", "r"),
            16,
            "r must open, got Permission denied; choose",
        ),
        (ValueError("x must be 1, got 2; give 1"), 4, "x must be 1, got 2; give 1"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_has_its_code_and_its_remedy(error: Exception, code: int, said: str) -> None:
    worded = in_words(error)
    assert next(one for kind, one in ERROR_CODES.items() if isinstance(worded, kind)) == code
    assert said in str(worded)


def test_an_error_of_the_system_that_means_nothing_here_is_left_to_the_last_net() -> None:
    error = OSError(errno.EDEADLK, "Resource deadlock avoided")
    with pytest.raises(OSError, match="deadlock") as raised:
        in_words(error)
    assert raised.value is error
