"""Small records for tests, made of plain numbers: documents of two timed scenarios, and typed views of any."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from bench.gate.baseline import OpenBaseline
from bench.gate.tolerance import typical_variances
from bench.harness.environment import kind_key
from bench.harness.record import ArmSeries, Launch, Record, Scenario, arm_entry, parted, seal

FINGERPRINT: dict[str, Any] = {
    "device": "cpu",
    "device_model": "Acme(R) Core 6-1-2 avx2",
    "device_count": 2,
    "dtype": "float32",
    "num_threads": 1,
    "python": "3.11.7",
    "torch": "2.13.0+cpu",
    "transformers": "5.23.0",
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
    launch = {"id": launch_id, "started": "2026-01-01T00:00:00+00:00", "threads": 1, "load_average": [[0.1, 0.2, 0.3]]}
    ours = {
        "schema_version": 1,
        "fingerprint": FINGERPRINT,
        "kind": kind_key(FINGERPRINT),
        "launch": launch,
        "peaks": {"matmul_flop_per_s": 1e11, "copy_byte_per_s": 1e10},
        "options": {"scale": "tiny"},
        "injected": {},
        "complete": True,
        "not_fitting": [],
        **header,
    }
    return seal({"machine_info": {}, "commit_info": {}, **parted(entries), "version": "5.3.1", "moevlm": ours})


def changed(sealed: dict[str, Any], *keys: str | int, value: object) -> dict[str, Any]:
    """Return a copy of a document in which the value under a path of keys is another, its checksum not renewed."""
    copied = copy.deepcopy(sealed)
    place: Any = copied
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return copied


def scenario(
    *launches: Mapping[str, float | Sequence[float]],
    name: str = "bench_decode[tiny-b1]",
    voided: int = 0,
    **fields: Any,
) -> Scenario:
    """Return a scenario from the samples of each launch by arm (a number is one sample); keywords replace fields."""
    anchor = "dispatch" if "anchor" in launches[0] else None
    plain = {"metric": "tpot_s", "num_units": 1, "rates": {}, "params": {}, "cost": None, "facts": {}, **fields}
    plain.setdefault("hashes", {"workload": "abc", "routing": "def"})
    arms = {
        arm: ArmSeries(
            scenario=name,
            arm=arm,
            anchor=anchor,
            launches=tuple(_launch(f"l{i}", samples[arm], voided) for i, samples in enumerate(launches)),
            **plain,
        )
        for arm in launches[0]
    }
    return Scenario(id=name, arms=arms)


def _launch(launch_id: str, samples: float | Sequence[float], voided: int) -> Launch:
    values = tuple(samples) if isinstance(samples, Sequence) else (samples,)
    return Launch(id=launch_id, samples=values, voided=voided)


def record_of(*scenarios: Scenario, **fields: Any) -> Record:
    """Return the typed view of a record that holds these scenarios; keywords replace fields."""
    plain = {
        "path": None,
        "fingerprint": FINGERPRINT,
        "kind": kind_key(FINGERPRINT),
        "launch": {},
        "peaks": {"matmul_flop_per_s": 1e9, "copy_byte_per_s": 1e9},
        "options": {},
        "injected": {},
        "complete": True,
        "filtered": False,
        "selected": (),
        "not_fitting": (),
        "wrong": {},
        "promotion": None,
        "scenarios": {one.id: one for one in scenarios},
    }
    return Record(**{**plain, **fields})


def opened_baseline(*scenarios: Scenario, same_fingerprint: bool = True) -> OpenBaseline:
    """Return these scenarios as an open baseline."""
    return OpenBaseline(
        record=record_of(*scenarios), same_fingerprint=same_fingerprint, typical=typical_variances(scenarios)
    )
