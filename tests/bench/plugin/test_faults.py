"""Every fault ends with the code of its class and a message that says what to do: one table, a row a fault."""

import copy
import functools
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.harness import record
from tests.bench.plugin.fake_project import baseline_of, write_package, write_project
from tests.bench.plugin.fresh_pytest import run_module, run_pytest

pytestmark = pytest.mark.long

Document = dict[str, Any]
AGAINST = ("--compare=require", "--baseline=baseline.json", "--record=run.json")
AB = ("ab", "--base=HEAD", "--out=out", "--force")

# `ab` with workers that are soon given up
QUICK = """
import bench.gate.ab.live as live, bench.gate.ab.lockstep as lockstep, bench.gate.ab.pair as workers
import functools
from tests.bench.plugin.forked_workers import use_forked_workers

use_forked_workers()
live.LaunchTerms = functools.partial(lockstep.LaunchTerms, timeouts=workers.Timeouts(stage_s=5.0))
"""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong, how it is met, and how the run must end."""

    name: str
    code: int
    says: tuple[str, ...]
    baseline: Callable[[Document], Document | str] | None = None  # what the baseline's file holds; None: as it should
    ending: str = "pass"  # a statement of each scenario
    check: str = "pass"  # a statement that checks an arm's answer
    conftest: str = ""
    options: tuple[str, ...] = AGAINST
    ab: tuple[str, ...] = ()  # options of `ab`, which runs in pytest's place
    prepare: Callable[[Path], None] | None = None


def entries(document: Document) -> list[Document]:
    return [entry["extra_info"]["moevlm"] for entry in document["benchmarks"]]


def sealed(change: Callable[[Document], object]) -> Callable[[Document], Document]:
    """Change a baseline and renew its checksum: the fault is the change, not the seal."""

    def changed(document: Document) -> Document:
        change(document)
        return record.seal(document)

    return changed


def without(*scenarios: str) -> Callable[[Document], Document]:
    def drop(document: Document) -> None:
        document["benchmarks"] = [
            entry for entry in document["benchmarks"] if entry["extra_info"]["moevlm"]["scenario"] not in scenarios
        ]

    return sealed(drop)


def renamed(old: str, new: str) -> Callable[[Document], Document]:
    return lambda document: record.seal(json.loads(json.dumps(document).replace(old, new)))


def grown(document: Document) -> str:
    document = copy.deepcopy(document)
    entries(document)[0]["launches"][0]["samples"][0] *= 2
    return json.dumps(document)


def without_the_second(folder: Path) -> None:
    path = folder / "bench" / "bench_x.py"
    path.write_text(path.read_text().replace("[1, 2, 3, 4]", "[1, 3, 4]"))


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)


def before_the_package(folder: Path) -> None:
    """Make the package younger than the base, and head what no commit holds."""
    git(folder, "rm", "-rq", "--cached", "moevlm")
    git(folder, "commit", "-qm", "before the package")


def mended(folder: Path) -> None:
    """Let base answer wrongly, and head no longer."""
    write_package(folder, {2: {"moe": 9.0}})
    git(folder, "commit", "-qam", "wrong")
    write_package(folder, {})


def corrupt(name: str, baseline: Callable[[Document], Document | str], *says: str) -> Fault:
    """Spoil the baseline's content: the run ends 14, whatever it measured."""
    return Fault(name=name, baseline=baseline, code=14, says=("CORRUPT: ", *says))


def answered_by(side: str, prepare: Callable[[Path], None], code: int, *says: str) -> Fault:
    """Let a side of `ab` be slower than a right answer would be."""
    check = "if call(arm) > 0.01: raise WrongAnswer(f'{arm}: got {moevlm.SECONDS[size][arm]:.3f}')"
    return Fault(
        name=f"wrong answer of {side}", ab=("--scenarios=2",), prepare=prepare, check=check, code=code, says=says
    )


def refused(name: str, options: tuple[str, ...], says: str) -> Fault:
    """Ask for what cannot be measured: a usage error."""
    return Fault(name=name, options=options, code=4, says=(says,))


FULL_DISK = """
import errno
from bench.harness import writing

def full(*paths):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

class Full:
    replace = staticmethod(full)

    def __getattr__(self, name):
        return getattr(os, name)

writing.os = Full()
"""
FAULTS = [
    Fault(name="new scenario", baseline=without("bench_x[2]"), code=0, says=("1 NEW, 3 OK",)),
    Fault(
        name="renamed",
        baseline=renamed("bench_x[2]", "bench_x[old-2]"),
        code=13,
        says=("bench_x[old-2]: MISSING: in the baseline, but not collected: renamed or removed?", "1 MISSING, 1 NEW"),
    ),
    Fault(
        name="removed",
        prepare=without_the_second,
        code=13,
        says=("bench_x[2]: MISSING: in the baseline, but not collected", "promote a new baseline if that was meant"),
    ),
    Fault(
        name="baseline missing",
        options=("--compare=require", "--baseline=nowhere.json"),
        code=13,
        says=("MISSING: nowhere.json does not exist; give --baseline a record",),
    ),
    Fault(
        name="no baseline for this machine",
        options=("--compare=require",),
        code=13,
        says=("MISSING: no baseline in", "python -m bench baseline --reason TEXT [-- options] (8 runs like this)"),
    ),
    corrupt("truncated", lambda document: json.dumps(document)[:1000],
            "CORRUPT: baseline.json: must be JSON, got Unterminated string", "restore the file from version control"),
    corrupt("wrong checksum", grown,
            "the checksum must be that of the content", "restore the file from version control"),
    Fault(
        name="other machine",
        baseline=sealed(lambda document: document["moevlm"]["kind"].update(device_model="Acme 1")),
        code=15,
        says=("NOT_COMPARABLE: ", "another kind of machine: device_model: Acme 1 / ", "promote"),
    ),
    Fault(
        name="other inputs",
        baseline=sealed(lambda document: [entry["hashes"].update(workload="other") for entry in entries(document)]),
        code=15,
        says=("bench_x[1]: NOT_COMPARABLE: ", "workload", "promote"),
    ),
    refused("-n 2 on one device", ("-n2",),
            "scenarios must not share a device: -n must be at most 1 (cpu), got 2 workers; give -n 1 or -n auto"),
    refused("--benchmark-disable left on", (*AGAINST, "--benchmark-disable"),
            "--compare=require must measure, got --benchmark-disable; drop one of the two"),
    Fault(
        name="--benchmark-disable where nothing is required",
        options=("--benchmark-disable",),
        code=0,
        says=("nothing was timed: --benchmark-disable runs each scenario once; drop it to measure",),
    ),
    refused("all scenarios deselected", (*AGAINST, "-k", "nothing"),
            "-k and -m must leave a scenario to measure, got none; --collect-only -q lists them"),
    Fault(
        name="disk full",
        conftest=FULL_DISK,
        code=16,
        says=("FAILED: run.json must be writable, got No space left on device; free disk space", "4 OK"),
    ),
    Fault(
        name="read-only",
        options=("--record=conftest.py/run.json",),
        code=16,
        says=("FAILED: conftest.py/run.json must be writable", "a file stands where a folder is needed"),
    ),
    Fault(
        name="wrong answer",
        check="if size == 2: raise WrongAnswer(f'{arm}: logits at [0, 3] must be within 1e-5, got 0.3')",
        code=17,
        says=("bench_x[2]: WRONG: moe: logits at [0, 3] must be within 1e-5, got 0.3", "3 compared: 1 WRONG, 3 OK"),
    ),
    answered_by("head", lambda folder: write_package(folder, {2: {"moe": 9.0}}), 17,
                "**WRONG", "`bench_x[2]`: WRONG, `head: moe: got 0.018`"),
    answered_by("base", mended, 13, "1 NEW", "`base answers wrongly: moe: got 0.018; nothing to compare with`"),
    Fault(
        name="worker killed",
        ab=("--scenarios=2",),
        ending="if size == 2: os.kill(os.getpid(), signal.SIGKILL)",
        code=16,
        says=(
            "`bench_x[2]`: FAILED, ",
            "died of SIGKILL; the kernel kills so when memory runs out, run the scenario alone",
        ),
    ),
    Fault(
        name="worker hung",
        ab=("--scenarios=2",),
        ending="if size == 2: time.sleep(600)",
        code=16,
        says=("`bench_x[2]`: FAILED, ", "its worker hung: no answer within 5 s; run the scenario alone to see where"),
    ),
    Fault(
        name="base without the package",
        ab=("--scenarios=bench",),
        prepare=before_the_package,
        code=13,
        says=("4 NEW", "has no package moevlm"),
    ),
    Fault(
        name="dirty head",
        ab=("--scenarios=1",),
        prepare=before_the_package,
        code=13,
        says=("with uncommitted changes against",),
    ),
    Fault(
        name="budget exhausted",
        ab=("--budget=1s", "--scenarios=1"),
        code=11,
        says=("1 INCONCLUSIVE", "min more would decide; raise --budget"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Measure the project once; eight launches about that are the baseline."""
    folder = write_project(tmp_path_factory.mktemp("whole") / "project")
    ended = run_pytest(folder, "bench", "--record=run.json")
    assert ended.code == 0, ended.said
    return baseline_of(record.read(folder / "run.json"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_with_its_code_and_says_what_to_do(fault: Fault, baseline: Document, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending=fault.ending, check=fault.check, conftest=fault.conftest)
    held = fault.baseline(copy.deepcopy(baseline)) if fault.baseline else baseline
    (folder / "baseline.json").write_text(held if isinstance(held, str) else json.dumps(held))
    if fault.ab:
        commit(folder)
    if fault.prepare:
        fault.prepare(folder)
    in_ab = functools.partial(run_module, folder, "bench", *AB, *fault.ab, first=QUICK)
    ended = in_ab() if fault.ab else run_pytest(folder, "bench", *fault.options)
    assert ended.code == fault.code, ended.said
    for words in fault.says:
        assert words in ended.said, ended.said


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("baseline.json\nout/\n__pycache__/\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
