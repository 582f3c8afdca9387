"""A full disk at each write of each command: exit code 16, no half file, and what could be printed was printed."""

import datetime
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from bench import __main__ as commands
from bench.commands import ab
from bench.gate.qualify.store import append_launch, append_suite, begin
from bench.harness import record
from fixtures.programs.errors import RecordWriteError
from tests.bench.commands.test_ab import FOUND
from tests.bench.evidence.sample_bundles import launches
from tests.bench.evidence.test_campaign import SMALL, plan_file, record_path
from tests.bench.gate.qualify_suites import NAMES, launch, qualification, suite
from tests.bench.large_records import commit_promotions
from tests.bench.pages.sample_twins import write as write_twins
from tests.bench.sample_records import BASELINE_NAME, DENSE, document
from tests.full_disk import largest_file

PROCESS_ID = 20  # bytes: without room for its lock, a run refuses before it measures
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Case(NamedTuple):
    """A command, what it reads, and what of it is printed on a full disk too."""

    arguments: tuple[str, ...]
    prepare: Callable[[], object]  # in the current folder
    prints: str = ""
    code: int = 0  # on a disk with room


def write_launches(folder: str) -> None:
    for number in range(1, 9):
        record.write(Path(folder) / f"launch-{number}.json", document(f"l{number}"))


def promote_a_faster_one() -> None:
    """Leave a baseline that was faster, so that its replacement is a slowdown for the ledger."""
    write_launches("records")
    faster = [document(f"l{number}", dense=tuple(1.1 * sample for sample in DENSE)) for number in range(8)]
    record.write(Path("baselines") / BASELINE_NAME, record.merge(faster))


def qualify() -> None:
    begin(Path("q.jsonl"), qualification())
    measured = launch(0, {name: {"moe": 0.01, "dense": 0.0, "anchor": 0.0} for name in NAMES})
    append_suite(Path("q.jsonl"), suite([]))
    append_launch(Path("q.jsonl"), suite([]), measured)


def campaign() -> None:
    project()
    plan_file(Path())
    record.write(record_path(Path("out"), SMALL, 1), document())


def project() -> None:
    Path("pyproject.toml").write_text('[tool.moevlm-bench]\npackage = "moevlm"\n')


RECORDS = tuple(f"records/launch-{number}.json" for number in range(1, 9))
CASES = {
    "promote": Case(("promote", *RECORDS, "--reason=x", "--baselines=baselines"), promote_a_faster_one),
    "baseline": Case(("baseline", "--reason=x", "--out=out"), lambda: (project(), write_launches("out"))),
    "export": Case(
        ("export", "bmf", "r.json", "--out=out/bmf.json"), lambda: record.write(Path("r.json"), document("l0"))
    ),
    "bundle": Case(
        ("bundle", "r.json", "--out=b/claims.tar.gz"),
        lambda: record.write(Path("r.json"), launches()),
        prints="the MoE is 2.00 times slower than dense",
    ),
    "history": Case(
        ("history", "--baselines=baselines", "--out=out"),
        lambda: commit_promotions(Path(), BASELINE_NAME, promotions=3, scenarios=2),
        prints="| promoted ",
    ),
    "track": Case(("track", "r.json", "--data=d/runs.jsonl"), lambda: record.write(Path("r.json"), document("l0"))),
    "qualify": Case(
        ("qualify", "--report", "--record=q.jsonl"), qualify, prints="No suite of 20 launches is whole yet"
    ),
    "campaign": Case(("campaign", "--scale=tiny", "--out=out", "--plan=plan.toml"), campaign, prints="| small "),
    "ab": Case(("ab", "--base=HEAD", "--out=out", "--junitxml=ab.xml"), project, prints="**REGRESSED", code=10),
    "twins": Case(("twins", "results.json", "--out=p.md"), lambda: write_twins(Path())),
    "results": Case(("results", "r.json", "--out=p.md"), lambda: record.write(Path("r.json"), launches())),
}


@pytest.fixture(autouse=True)
def without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing measured, and a date that stays."""
    fixed = SimpleNamespace(datetime=SimpleNamespace(now=lambda _zone: NOW), UTC=datetime.UTC)
    monkeypatch.setattr("bench.commands.promote.datetime", fixed)
    monkeypatch.setattr("bench.commands.campaign.run_steps", lambda *_, **__: {})
    monkeypatch.setattr(ab, "compare", lambda *_, **__: FOUND)


def files() -> dict[str, bytes]:
    """Return all files below the current folder."""
    found = (path for path in Path().rglob("*") if path.is_file() and path.parts[0] != ".git")
    return {path.as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("name", CASES)
def test_a_disk_that_fills_up_leaves_whole_files_alone_and_what_was_printed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]

    def run_on_a_disk_for(size: int) -> tuple[int, dict[str, bytes], dict[str, bytes]]:
        folder = tmp_path / str(size)
        folder.mkdir()
        monkeypatch.chdir(folder)
        case.prepare()
        before = files()
        capsys.readouterr()
        with largest_file(size):
            code = commands.main(case.arguments)
        return code, before, files()

    code, before, after = run_on_a_disk_for(2**30)
    assert code == case.code, capsys.readouterr()
    written = [content for path, content in after.items() if content != before.get(path)]
    assert written
    largest = max(map(len, written))
    full = {0, 1, largest // 2, largest - 1, *(len(content) - 1 for content in written)}
    for size in sorted(full):
        code, before, left = run_on_a_disk_for(size)
        printed = capsys.readouterr()
        assert code == 16, (size, printed)
        assert "must be writable, got File too large; free disk space or raise the limit" in printed.err
        assert case.prints in printed.out or size < PROCESS_ID
        halves = [path for path, content in left.items() if content not in (before.get(path), after.get(path))]
        assert halves == []
    assert run_on_a_disk_for(largest)[0] == case.code


def test_what_does_not_fit_into_the_record_of_suites_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    begin(path, qualification())
    append_suite(path, suite([]))
    before = path.read_bytes()
    for append in (append_suite, lambda *one: append_launch(*one, launch(0, {"a": {"moe": 0.0}}))):
        with largest_file(len(before) + 10), pytest.raises(RecordWriteError, match="free disk space"):
            append(path, suite([], number=1))
    assert path.read_bytes() == before
