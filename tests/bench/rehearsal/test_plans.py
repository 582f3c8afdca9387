"""Every tiling of the search runs on a GPU that is not there; `.ci/run` rehearses one of each kind."""

import sys
from pathlib import Path

import pytest

from bench.evidence.processes import run_logged

ROOT = Path(__file__).parents[3]


@pytest.mark.exhaustive
@pytest.mark.parametrize("num_tokens", [1, 8])
def test_every_tiling_is_right_and_captured(num_tokens: int, tmp_path: Path) -> None:
    pytest.importorskip("triton")
    words = [
        "--scale=tiny",
        f"--num-tokens={num_tokens}",
        "--dtype=float32",
        "--rounds=1",
        f"--out={tmp_path / 'm.json'}",
    ]
    command = [sys.executable, "-m", "bench.rehearsal.child", "bench.tune_experts", *words]
    ended = run_logged(command, root=ROOT, log=tmp_path / "log")
    said = (tmp_path / "log").read_text()
    assert ended.code == 0, said
    assert "left out" not in said
    assert [way for way in ("few", "many", "fused") if f"| {way}" in said] == ["few", "many", "fused"]
