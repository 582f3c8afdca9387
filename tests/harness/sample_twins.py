"""Documents of twins as `python -m bench.front.trained score` writes them, made up for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.harness.pareto.points import AXES

MACHINE = {"device_model": "Acme", "dtype": "float32", "num_threads": 1}


def entry(variant: str, seed: int, accuracy: float, rate: float = 100.0, **changes: Any) -> dict[str, Any]:
    """Write a twin as documents do: accuracy +-0.02, throughput +-5 %."""
    limits = {"estimate": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02, "num_samples": 500}
    throughput = {axis: {"estimate": rate, "low": rate * 0.95, "high": rate * 1.05} for axis in AXES}
    return {"task": "charts", "variant": variant, "size": "small", "seed": seed, "num_parameters": 1000,
            "num_active_parameters": 1000 if variant.startswith("dense") else 400, "accuracy": {"all": limits},
            "throughput": throughput, **changes}  # fmt: skip


def document(folder: Path, twins: Sequence[Mapping[str, Any]], name: str = "twins.json", /, **changes: Any) -> Path:
    path = folder / name
    path.write_text(
        json.dumps({"schema_version": 1, "tier": "measured", "machine": MACHINE, "twins": twins, **changes})
    )
    return path
