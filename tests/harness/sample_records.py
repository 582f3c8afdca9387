"""Small record documents for tests: two timed scenarios of three arms, made of plain numbers."""

import copy
from typing import Any

from bench.harness.environment import kind_key
from bench.harness.record import arm_entry, seal

FINGERPRINT: dict[str, Any] = {
    "device": "cpu",
    "device_model": "Acme(R) Core 6-1-2 avx2",
    "device_count": 2,
    "dtype": "float32",
    "num_threads": 1,
    "torch": "2.13.0+cpu",
}
BASELINE_NAME = "cpu-acme-core-6-1-2-avx2-2c-float32-t1-torch2.13.json"
SCENARIOS = ("bench_decode[tiny-b1]", "bench_prefill[tiny-b1]")
MOE = (0.002, 0.0021, 0.0019)
DENSE = (0.001, 0.0011, 0.0009)


def primary_entry(scenario: str, launch_id: str, moe: tuple[float, ...] = MOE) -> dict[str, Any]:
    """Return an entry as pytest-benchmark writes it, with our extra_info of the MoE arm."""
    ours = {
        "scenario": scenario,
        "arm": "moe",
        "metric": "tpot_s",
        "num_units": 32,
        "anchor": "dispatch",
        "rates": {"output_tok_per_s": 1.0},
        "params": {"scale": "tiny", "batch_size": 1},
        "hashes": {"workload": "abc", "routing": "def"},
        "cost": {"flops": 1e6, "bytes": 1e6},
        "facts": {},
        "launches": [{"id": launch_id, "samples": list(moe), "voided": 0}],
    }
    return {
        "group": None,
        "name": scenario,
        "fullname": f"bench/bench_tiny.py::{scenario}",
        "params": {"batch_size": 1},
        "param": "tiny-b1",
        "extra_info": {"moevlm": ours},
        "options": {"timer": "perf_counter"},
        "stats": {"mean": 32 * sum(moe) / len(moe), "data": [32 * sample for sample in moe]},
    }


def document(launch_id: str = "launch-0", *, dense: tuple[float, ...] = DENSE, **header: Any) -> dict[str, Any]:
    """Return a sealed record of one launch; keywords replace fields of its header."""
    entries = []
    for scenario in SCENARIOS:
        primary = primary_entry(scenario, launch_id)
        launches = [{"id": launch_id, "samples": list(dense), "voided": 0}]
        anchor = [{"id": launch_id, "samples": [0.0005] * len(dense), "voided": 0}]
        entries += [
            primary,
            arm_entry(primary, arm="dense", launches=launches, cost={"flops": 4e6, "bytes": 4e6}),
            arm_entry(primary, arm="anchor", launches=anchor),
        ]
    ours = {
        "schema_version": 1,
        "fingerprint": FINGERPRINT,
        "kind": kind_key(FINGERPRINT),
        "launch": {"id": launch_id, "started": "2026-01-01T00:00:00+00:00", "threads": 1, "load_average": [0.1]},
        "peaks": {"matmul_flop_per_s": 1e11, "copy_byte_per_s": 1e10},
        "options": {"scale": "tiny"},
        "injected": {},
        "complete": True,
        "not_fitting": [],
        **header,
    }
    return seal({"machine_info": {}, "commit_info": {}, "benchmarks": entries, "version": "5.3.1", "moevlm": ours})


def changed(sealed: dict[str, Any], *keys: str | int, value: object) -> dict[str, Any]:
    """Return a copy of a document in which the value under a path of keys is another, its checksum not renewed."""
    copied = copy.deepcopy(sealed)
    place: Any = copied
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return copied
