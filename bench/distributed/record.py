"""A record of the harness from what several processes measured: `compare`, `promote` and other tools read it.

pytest runs one process, so a record is built here from its parts, by the one process that has what all saw.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest_benchmark
import torch
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.utils import get_commit_info

from bench.harness.arms import PRIMARY
from bench.harness.environment import fingerprint, kind_key, load_average
from bench.harness.metrics import Metric
from bench.harness.record import KEY, SCHEMA_VERSION, arm_entry, parted, seal
from bench.harness.run import Launched

FILE = "bench/distributed/parallel.py"  # before :: in the full names
ELSEWHERE: Mapping[str, Sequence[str]] = {"scale": (), "task": ()}  # nothing that pytest measures is missing here


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One scenario.

    Args:
        num_units: A sample times this is one call.
        rates: Throughput metric -> quantity per unit.
        samples: Arm -> one value a round, the same rounds of all arms.
        facts: Arm -> numbers shown beside its times.
    """

    scenario: str
    params: Mapping[str, object]
    metric: Metric
    num_units: int
    rates: Mapping[str, float]
    anchor: str
    hashes: Mapping[str, str]
    samples: Mapping[str, Sequence[float]]
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def document_of(
    measured: Iterable[Measured],
    *,
    launched: Launched,
    device: torch.device,
    dtype: torch.dtype,
    load_before: Sequence[float],
    options: Mapping[str, object],
) -> dict[str, Any]:
    """Build a sealed record of one launch.

    Args:
        load_before: The machine's load averages before the first scenario.
    """
    scenarios = list(measured)
    found = fingerprint(str(device), str(dtype).removeprefix("torch."), torch.get_num_threads())
    return seal(
        {
            "machine_info": pytest_benchmark_generate_machine_info(),
            "commit_info": get_commit_info(),
            **parted(entry for one in scenarios for entry in _entries(one, launched.id)),
            "datetime": datetime.datetime.now(datetime.UTC).isoformat(),
            "version": pytest_benchmark.__version__,
            KEY: {
                "schema_version": SCHEMA_VERSION,
                "fingerprint": found,
                "kind": kind_key(found),
                "launch": {
                    "id": launched.id,
                    "started": launched.started.isoformat(),
                    "num_threads": torch.get_num_threads(),
                    "sees_throttling": False,
                    "load_average": [list(load_before), load_average()],
                },
                "peaks": {},  # no arm's work is counted, so nothing would be held against them
                "options": {"axes": ELSEWHERE, "arguments": [f"--{name}={value}" for name, value in options.items()]},
                "injected": {},
                "selected": [one.scenario for one in scenarios],
                "complete": True,
                "filtered": False,
                "failed": [],
                "not_fitting": [],
            },
        }
    )


def _entries(one: Measured, launch_id: str) -> list[dict[str, Any]]:
    """Return pytest-benchmark's entry of each arm."""
    ours = {
        "scenario": one.scenario,
        "metric": one.metric.name,
        "num_units": one.num_units,
        "anchor": one.anchor,
        "rates": dict(one.rates),
        "params": dict(one.params),
        "hashes": dict(one.hashes),
    }
    bare: dict[str, object] = {
        "name": one.scenario,
        "fullname": f"{FILE}::{one.scenario}",
        "group": None,
        "param": None,
        "options": {},
    }
    entries: list[dict[str, Any]] = []
    for arm, samples in one.samples.items():
        template = {**bare, "params": dict(one.params), "extra_info": {KEY: {**ours, "facts": one.facts.get(arm, {})}}}
        launches = [{"id": launch_id, "samples": list(samples), "voided": 0}]
        entry = arm_entry(template, arm=arm, launches=launches)
        entries.append({**entry, **(bare if arm == PRIMARY else {})})  # the MoE's own entry has no suffix
    return entries
