"""Every tiling of the search runs on a GPU that is not there; `.ci/run` rehearses one of each kind.

RECORD keeps what was said, right or not; a run that it holds is judged and not run again.
"""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.evidence.processes import run_logged
from tests.bench.kept_runs import ROOT, keep, kept_runs

RECORD = ROOT / "docs" / "records" / "rehearsal-gpu.json"
EVERY = ("few", "many", "fused")
WAYS = {"moe": {"few", "many"}, "dense": {"fused"}}  # by arm
OPTIONS = ("--scale=tiny", "--dtype=float32", "--rounds=1")

pytestmark = pytest.mark.exhaustive


def rehearsed(num_tokens: int, folder: Path) -> dict[str, Any]:
    """Search all tilings at so many tokens; return how it ended and the rows of its tables."""
    started = time.monotonic()
    words = [*OPTIONS, f"--num-tokens={num_tokens}", f"--out={folder / 'm.json'}"]
    command = [sys.executable, "-m", "bench.rehearsal.child", "bench.tune_experts", *words]
    ended = run_logged(command, root=ROOT, log=folder / "log")
    said = (folder / "log").read_text().splitlines()
    rows = [line for line in said if line.startswith("| tiny")]
    faults = [line for line in said if "left out" in line] if not ended.code else said[-20:]
    minutes = round((time.monotonic() - started) / 60, 1)
    return {"num_tokens": num_tokens, "code": ended.code, "rows": rows, "faults": faults, "minutes": minutes}


@pytest.mark.parametrize("num_tokens", [1, 8])
def test_every_tiling_is_right_and_captured(num_tokens: int, tmp_path: Path) -> None:
    pytest.importorskip("triton")
    kept = [run for run in kept_runs(RECORD) if run["num_tokens"] == num_tokens]
    if not kept:
        kept = [rehearsed(num_tokens, tmp_path)]
        keep(RECORD, kept[0], what=("num_tokens",))
    (run,) = kept
    assert (run["code"], run["faults"]) == (0, [])
    for arm, ways in WAYS.items():
        assert {way for row in run["rows"] for way in EVERY if f"| {arm} " in row and f"| {way} " in row} == ways
