"""Large records for tests of size: any number of scenarios, launches, blocks or promotions, the same each time."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.harness.arms import ANCHOR, PRIMARY, TWIN
from bench.harness.record import seal
from tests.bench.sample_records import document, primary_entry

SECONDS = {PRIMARY: 0.002, TWIN: 0.001, ANCHOR: 0.0005}  # of a block
SPREAD = 0.02  # between blocks, and between launches


def large_document(*, scenarios: int, launches: int = 1, blocks: int = 10, seed: int = 0, **header: Any) -> Any:
    """Return a sealed record of timed scenarios with a twin and an anchor, in benchmarks of a hundred."""
    rng = random.Random(seed)
    entries = []
    for number in range(scenarios):
        name = f"bench_step_{number // 100}[tiny-mmmu-uniform-b1-s{number}]"
        entries += [_entry(name, arm, rng, seed, launches, blocks) for arm in SECONDS]
    return seal({**document(f"launch-{seed}-0", **header), "benchmarks": entries})


def _entry(name: str, arm: str, rng: random.Random, seed: int, launches: int, blocks: int) -> dict[str, Any]:
    title = name if arm == PRIMARY else f"{name}:{arm}"
    entry = primary_entry(name, "")
    entry["extra_info"]["moevlm"] |= {
        "arm": arm,
        "launches": [
            {"id": f"launch-{seed}-{i}", "samples": _samples(SECONDS[arm], rng, blocks), "voided": 0}
            for i in range(launches)
        ],
    }
    return {**entry, "name": title, "fullname": f"bench/bench_step.py::{title}", "stats": {"mean": SECONDS[arm]}}


def _samples(seconds: float, rng: random.Random, blocks: int) -> list[float]:
    level = seconds * rng.lognormvariate(0.0, SPREAD)
    return [float(f"{level * rng.lognormvariate(0.0, SPREAD):.6g}") for _ in range(blocks)]


def commit_promotions(root: Path, name: str, *, promotions: int, scenarios: int, blocks: int = 3) -> Path:
    """Make a git repository in whose folder of baselines one file was promoted so many times; return the folder."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    stream = b"".join(_commits(name, promotions, scenarios, blocks))
    subprocess.run(["git", "-C", str(root), "fast-import", "--quiet"], input=stream, check=True)
    subprocess.run(["git", "-C", str(root), "checkout", "-q", "-f", "main"], check=True)
    return root / "baselines"


def _commits(name: str, promotions: int, scenarios: int, blocks: int) -> Iterator[bytes]:
    """Yield commits as git fast-import reads them: each replaces the baseline."""
    for number in range(promotions):
        stamp = {"reason": f"reason {number}", "commit": "c0ffee", "date": f"2026-01-01T{number:08}", "release": "v1"}
        promoted = {**stamp, "launches": 2}
        whole = large_document(scenarios=scenarios, launches=2, blocks=blocks, seed=number, promotion=promoted)
        content = json.dumps(whole).encode()
        yield f"commit refs/heads/main\ncommitter a <a@b> {1767225600 + number} +0000\ndata 1\nx\n".encode()
        yield f"M 100644 inline baselines/{name}\ndata {len(content)}\n".encode() + content + b"\n"
