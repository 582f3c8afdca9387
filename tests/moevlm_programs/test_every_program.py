"""Every program of the tree, found by its `__main__`: each ends by the same codes, in words, and shows no trace."""

import io
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from moevlm_programs import program
from moevlm_programs.parsing import Parser
from tests.bench.plugin.fake_project import REPOSITORY

FOLDERS = ("moevlm", "moevlm_programs", "fixtures", "bench")
MAIN = re.compile(r'^if __name__ == "__main__":$', re.MULTILINE)
WORKERS = {  # programs start them, nobody else does, and each says what went wrong in a way of its own
    "bench/harness/tied.py",  # becomes the command that it is given
    "bench/gate/ab/child.py",  # is pytest, with one side's package
    "bench/gate/ab/collector.py",  # is pytest, and imports nothing of this tree
}
TWIN = "documents/small/dense-seed0"
TRAIN = ("--recipe=seconds", "--tasks=documents", "--variants=dense", "--seeds=0")
SUPPLIED = ("--checkpoint=none", "--benchmark=chartqa", "--data=lost", "--device=cpu")


class Bad(NamedTuple):
    """Arguments whose input or output a program must refuse: its code, and what it says."""

    arguments: tuple[str, ...]
    code: int
    says: str


class Program(NamedTuple):
    """What can be wrong with a program's files; `cut` is one cut short, `file` one where a folder is needed."""

    inputs: tuple[Bad, ...] = ()
    outputs: tuple[Bad, ...] = ()
    broken: tuple[str, ...] = ()  # files to cut short beforehand


IN_THE_WAY = "a file stands where a folder is needed: choose another path that may be written"
RECORD = Program(
    (
        Bad(("report", "lost"), 13, "lost must exist, got no such file; check the path"),
        Bad(("report", "cut"), 14, "cut: must be JSON, got Expecting"),
    )
)
PROGRAMS: Mapping[str, Program] = {
    "bench/__main__.py": RECORD,  # what its commands write where they may not: tests/bench/commands
    "bench/standalone/main.py": RECORD,
    "bench/distributed/link.py": Program(),  # writes nothing
    "bench/distributed/parallel.py": Program(),  # its one file is written last, by processes that torchrun starts
    "bench/front/blind.py": Program(),
    "bench/front/published.py": Program(
        (
            Bad(("--out=p.json", "--record", "lost"), 4, "lost must exist, got no such file"),
            Bad(("--out=p.json", "--record", "cut"), 4, "cut: must be JSON, got Expecting"),
        ),
        (Bad(("--out=file/p.json", "--record", "lost"), 16, IN_THE_WAY),),  # asked first
    ),
    "bench/front/supplied/__main__.py": Program(
        (Bad((*SUPPLIED, "--out=s.json"), 4, "lost"),),
        (Bad((*SUPPLIED, "--out=file/s.json"), 4, "--out must be a file that can be written, got file/s.json"),),
    ),
    "bench/front/trained/__main__.py": Program(
        (
            Bad(("score", "lost"), 4, "lost must hold trained twins, got none; train some with"),
            Bad(("score", "twins"), 4, f"twins/{TWIN}/twin.json must be JSON as training writes it, got"),
        ),
        (Bad(("score", "twins", "--out=file/t.json"), 16, IN_THE_WAY),),
        (f"twins/{TWIN}/twin.json", f"twins/{TWIN}/model/config.json"),
    ),
    "bench/gate/posted.py": Program(
        (
            Bad(("lost", "out.md"), 4, "lost must exist, got no such file; check the path"),
            Bad(("cut", "out.md"), 4, "a comment to post must begin with <!-- moevlm ab -->, got"),
        ),
        (Bad(("ours.md", "file/out.md"), 16, IN_THE_WAY),),
    ),
    "bench/tune_experts/__main__.py": Program(),  # asks for a GPU first
    "fixtures/tasks/__main__.py": Program((), (Bad(("--out=file/sheets/s.png",), 16, IN_THE_WAY),)),
    "fixtures/tasks/procedural/__main__.py": Program((), (Bad(("--out=file/sheets",), 16, IN_THE_WAY),)),
    "fixtures/training/__main__.py": Program(
        (Bad((*TRAIN, "--out=twins"), 4, f"twins/{TWIN}/recipe.json must be JSON as training writes it, got"),),
        (Bad((*TRAIN, "--out=file/twins"), 16, IN_THE_WAY),),
        (f"twins/{TWIN}/recipe.json",),
    ),
    "moevlm/model/tokenizer/train.py": Program((), (Bad(("--out=file/t.json",), 16, IN_THE_WAY),)),
    "moevlm/presets/__main__.py": Program(),
}
INPUTS = [(path, bad) for path, about in PROGRAMS.items() for bad in about.inputs]
OUTPUTS = [(path, bad) for path, about in PROGRAMS.items() for bad in about.outputs]


class Ended(NamedTuple):
    """How a program ended."""

    code: object
    printed: str  # to standard output
    said: str  # to standard error


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a program in this process, as `python -m` does in one of its own, and in a folder of its own."""
    entered: list[str] = []
    for name in ("end_on_signals", "print_in_any_encoding"):  # for a whole process, which is the tests'
        monkeypatch.setattr(program, name, lambda name=name: entered.append(name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))

    def run_here(path: str, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / path), run_name="__main__")
        assert entered == ["end_on_signals", "print_in_any_encoding"], "it is run by run_program"
        return Ended(ended.value.code, *capsys.readouterr())

    return run_here


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], None]:
    """Write what a program reads, cut short."""

    def write(path: str) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "ours.md").write_text("<!-- moevlm ab -->\n")
        for name in ("cut", *PROGRAMS[path].broken):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text('{"benchmarks"')

    return write


@pytest.fixture
def gone() -> Iterator[io.TextIOWrapper]:
    """Return an output whose reader has ended, as `head -1` does."""
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor, not a path
        yield stream


def test_the_table_has_every_program() -> None:
    files = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    found = {path.relative_to(REPOSITORY).as_posix() for path in files if MAIN.search(path.read_text("utf-8"))}
    assert found - WORKERS == set(PROGRAMS)
    assert found >= WORKERS
    assert {name for name in found if name.endswith("__main__.py")} == {
        path.relative_to(REPOSITORY).as_posix() for path in files if path.name == "__main__.py"
    }


@pytest.mark.parametrize("path", PROGRAMS)
def test_help_ends_0(run: Run, path: str) -> None:
    ended = run(path, "--help")
    assert (ended.code, ended.said) == (0, "")
    assert ended.printed.startswith("usage: ")


@pytest.mark.parametrize("path", PROGRAMS)
def test_an_unknown_option_ends_4_with_the_usage(run: Run, path: str) -> None:
    ended = run(path, "--no-such-option=1")
    assert (ended.code, ended.printed) == (4, "")
    assert ended.said.startswith("usage: ")
    assert ": error: " in ended.said


@pytest.mark.parametrize("path", PROGRAMS)
def test_a_mistake_ends_70_in_one_line_and_its_trace_is_in_a_file(
    run: Run, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(Parser, "parse_args", fail)
    ended = run(path)
    assert (ended.code, ended.printed) == (70, "")
    (line,) = ended.said.splitlines()
    assert line.startswith("error: a mistake of this program, please report it: KeyError: 'what nobody foresaw'; ")
    (trace,) = tmp_path.glob("*.trace")
    assert line.endswith(f"; the full trace is in {trace}")
    assert trace.read_text().endswith("KeyError: 'what nobody foresaw'\n")


@pytest.mark.parametrize("path", PROGRAMS)
def test_an_interrupt_ends_130_in_one_line(run: Run, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Parser, "parse_args", interrupt)
    assert run(path) == Ended(130, "", "interrupted: finished files are kept\n")


@pytest.mark.parametrize("path", PROGRAMS)
def test_a_reader_that_has_gone_ends_it_without_a_word(
    run: Run, path: str, monkeypatch: pytest.MonkeyPatch, gone: io.TextIOWrapper
) -> None:
    monkeypatch.setattr(sys, "stdout", gone)
    assert run(path, "--help") == Ended(141, "", "")


@pytest.mark.parametrize(("path", "bad"), [*INPUTS, *OUTPUTS], ids=lambda value: value if type(value) is str else "")
def test_a_file_that_cannot_be_read_or_written_is_named(
    run: Run, files: Callable[[str], None], path: str, bad: Bad
) -> None:
    files(path)
    ended = run(path, *bad.arguments)
    assert (ended.code, ended.printed) == (bad.code, "")
    assert bad.says in ended.said
    assert "Traceback" not in ended.said
    told = ended.said.splitlines()
    assert sum("error: " in line for line in told) == 1
    assert bad.code != 16 or len(told) == 1
