"""A run of the scenarios in which peers are arms: small, in a process of its own."""

import json
from pathlib import Path
from typing import Any

from tests.bench.plugin.fake_project import REPOSITORY
from tests.bench.plugin.fresh_pytest import run_pytest

SCENARIOS = ("bench/bench_prefill.py", "bench/bench_decode.py", "bench/bench_generate.py")


def fingerprint_of_a_run(folder: Path, peer: str, *, scale: str) -> dict[str, Any]:
    """Run the scenarios with a peer; check that its arms are in each, and return the record's fingerprint."""
    path = folder / "record.json"
    options = (f"--scale={scale}", "--depth=1", "--batch-size=2", "--seq-len=128", "--routing=weights")
    ended = run_pytest(REPOSITORY, *SCENARIOS, *options, f"--peers={peer}", "--device=cpu", "--workload=mmmu",
                       "--compare=off", "--scenario-budget=0.1s", f"--record={path}")  # fmt: skip
    assert ended.code == 0, ended.said
    document = json.loads(path.read_text())
    found = [entry["extra_info"]["moevlm"] for entry in document["benchmarks"]]
    for arm in (f"{peer}/moe", f"{peer}/dense"):
        entries = [entry for entry in found if entry["arm"] == arm]
        assert {entry["scenario"].partition("[")[0] for entry in entries} == {
            "bench_prefill", "bench_decode", "bench_generate",
        }  # fmt: skip
        assert all(entry["facts"]["peers_encode_images"] == 0 for entry in entries)
        assert all(entry["cost"]["flops"] > 0 for entry in entries)
    fingerprint: dict[str, Any] = document["moevlm"]["fingerprint"]
    return fingerprint
