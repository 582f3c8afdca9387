"""The largest records and histories that we foresee: what each command takes of a processor and of memory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.gate.posted import posted
from tests.bench.large_records import commit_promotions, large_document
from tests.bench.sample_records import BASELINE_NAME

ROOT = Path(__file__).parents[3]
SCENARIOS, LAUNCHES, PROMOTIONS, CHANGES = 10_000, 1_000, 500, 5_000
FOLLOWED = 100  # scenarios of each promotion
GITHUB_LIMIT = 65_536  # characters of a comment
KNOWN = (0, 11)  # judged, or too noisy to judge
COMMENT = f"""
from bench.gate.comment import comment
from tests.bench.large_comparison import large_comparison
print(comment(large_comparison(scenarios={SCENARIOS}, launches={LAUNCHES}, changes={CHANGES})))
"""


class Taken(NamedTuple):
    """What a process took, and what it printed."""

    cpu_s: float
    peak_bytes: int
    said: str


MOST = Taken(cpu_s=20.0, peak_bytes=2**30, said="")  # seconds of a processor, on a machine that is busy, too


def taken(folder: Path, *words: str) -> Taken:
    """Run Python with words; what its children take is not counted, which are git alone."""
    with (folder / "out.md").open("w") as out:
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in KNOWN
    return Taken(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, (folder / "out.md").read_text())


def check(found: Taken) -> None:
    print(f"{found.cpu_s:.1f} s of a processor, {found.peak_bytes / 2**30:.2f} GiB")  # noqa: T201  # pytest -s shows it
    assert found.cpu_s < MOST.cpu_s
    assert found.peak_bytes < MOST.peak_bytes


def written(folder: Path, name: str, **sizes: int) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(large_document(**sizes, blocks=3)))
    return str(path)


@pytest.mark.exhaustive
def test_report_and_compare_take_ten_thousand_scenarios(tmp_path: Path) -> None:
    run = written(tmp_path, "run", scenarios=SCENARIOS, seed=1)
    base = written(tmp_path, "base", scenarios=SCENARIOS, launches=2, seed=2)
    for words in (["report", run], ["compare", run, "--baseline", base]):
        found = taken(tmp_path, "-m", "bench", *words)
        check(found)
        assert found.said.count("-b1-s") >= SCENARIOS


@pytest.mark.exhaustive
def test_compare_takes_a_thousand_launches(tmp_path: Path) -> None:
    run, base = (written(tmp_path, f"run-{seed}", scenarios=3, launches=LAUNCHES, seed=seed) for seed in (1, 2))
    check(taken(tmp_path, "-m", "bench", "compare", run, "--baseline", base))


@pytest.mark.exhaustive
def test_history_takes_hundreds_of_promotions(tmp_path: Path) -> None:
    folder = commit_promotions(tmp_path / "git", BASELINE_NAME, promotions=PROMOTIONS, scenarios=FOLLOWED)
    found = taken(tmp_path, "-m", "bench", "history", r"\[", "--baselines", str(folder), "--out", str(tmp_path))
    check(found)
    assert found.said.count("\n| bench_step_0[") == FOLLOWED  # a scenario is named once
    assert found.said.count("\n|") > PROMOTIONS * FOLLOWED


@pytest.mark.exhaustive
def test_a_comment_takes_thousands_of_changes_and_stays_below_githubs_limit(tmp_path: Path) -> None:
    found = taken(tmp_path, "-c", COMMENT)
    check(found)
    assert max(len(found.said), len(posted(found.said.encode()))) < GITHUB_LIMIT
    assert f"s{CHANGES - 1}]` " in found.said
