"""The unchanged code is never WRONG: checks of the whole default matrix, again and again, each time of other samples.

Run once for a change of the checks or of the model, and by the scheduled workflow; what was run is kept in RECORD, so
that an interrupted run goes on.
"""

import re
import time
from pathlib import Path

import pytest

from tests.bench.checks.edited_copy import ROOT, bench
from tests.bench.kept_runs import keep, kept_runs

RECORD = ROOT / "docs" / "records" / "checks-cpu.json"
NUM_RUNS = 20
HOUR_S = 3600.0  # more than a run takes
DTYPES = ("float32", "bfloat16")


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", range(NUM_RUNS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_unchanged_code_is_never_wrong(tmp_path: Path, dtype: str, number: int) -> None:
    if any((run["dtype"], run["number"]) == (dtype, number) for run in kept_runs(RECORD)):
        return
    started = time.monotonic()
    ended = bench(
        ROOT, ["bench", "--benchmark-disable", f"--dtype={dtype}", f"--record={tmp_path / 'record.json'}"], HOUR_S
    )
    assert ended.code == 0, ended.said[-3000:]
    (passed,) = re.findall(r"= (\d+) passed", ended.said)
    assert "WRONG" not in ended.said
    seconds = round(time.monotonic() - started, 1)
    keep(
        RECORD,
        {"dtype": dtype, "number": number, "scenarios": int(passed), "seconds": seconds},
        what=("dtype", "number"),
    )
