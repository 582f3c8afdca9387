"""The unchanged code is never WRONG: checks of the whole default matrix, again and again, each time of other samples.

Run once for a change of the checks or of the model, and by the scheduled workflow; what was run is kept in RECORD, so
that an interrupted run goes on.
"""

import json
import platform
import re
import subprocess
import time
from pathlib import Path

import pytest
import torch
import transformers

from bench.harness.environment import cpu_model
from tests.bench.checks.edited_copy import ROOT, bench

RECORD = ROOT / "docs" / "records" / "checks-cpu.json"
NUM_RUNS = 20
HOUR_S = 3600.0  # more than a run takes
DTYPES = ("float32", "bfloat16")
CODE = ("moevlm", "fixtures", "bench")  # whose change begins the record anew


def code_hash() -> str:
    """Return the digest of the committed code that is checked."""
    command = ["git", "rev-parse", *(f"HEAD:{folder}" for folder in CODE)]
    trees = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return "-".join(tree[:12] for tree in trees)


def kept_runs() -> list[dict[str, object]]:
    """Return the runs of this code so far."""
    kept = json.loads(RECORD.read_text()) if RECORD.exists() else {"code": "", "runs": []}
    return list(kept["runs"]) if kept["code"] == code_hash() else []


def keep(run: dict[str, object]) -> None:
    """Add a run to the record."""
    machine = {"cpu": cpu_model(), "python": platform.python_version(), "torch": torch.__version__}
    about = {"code": code_hash(), **machine, "transformers": transformers.__version__}
    RECORD.write_text(json.dumps({**about, "runs": [*kept_runs(), run]}, indent=1) + "\n")


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", range(NUM_RUNS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_unchanged_code_is_never_wrong(tmp_path: Path, dtype: str, number: int) -> None:
    if any((run["dtype"], run["number"]) == (dtype, number) for run in kept_runs()):
        return
    started = time.monotonic()
    ended = bench(
        ROOT, ["bench", "--benchmark-disable", f"--dtype={dtype}", f"--record={tmp_path / 'record.json'}"], HOUR_S
    )
    assert ended.code == 0, ended.said[-3000:]
    (passed,) = re.findall(r"= (\d+) passed", ended.said)
    assert "WRONG" not in ended.said
    keep({"dtype": dtype, "number": number, "scenarios": int(passed), "seconds": round(time.monotonic() - started, 1)})
