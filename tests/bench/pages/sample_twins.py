"""Documents of twins as `python -m bench.front.trained score` writes them, made up for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.pages.pareto.points import AXES

MACHINE = {"device_model": "Acme", "dtype": "float32", "num_threads": 1}
SHAPE = {"hidden_size": 64, "num_layers": 2, "num_experts": 4, "expert_width": 16, "top_k": 2}


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


def trained(
    variant: str, seed: int, msi: list[float] | None = None, load: float = 1.5, **fields: Any
) -> dict[str, Any]:
    """Write a twin with what the page about twins reads; an MoE where there is MSI."""
    result: dict[str, Any] = {
        "task": "charts",
        "size": "small",
        "variant": variant,
        "seed": seed,
        "shape": SHAPE,
        "recipe": {"num_pictures": 12},
        "steps": 200,
        "cpu_s": 100.0 + seed,
        "num_parameters": 297_000 if msi else 294_000,
        "num_active_parameters": 186_000 if msi else 294_000,
        "accuracy": {
            "all": {"estimate": min(1.0, 0.5 + 0.1 * seed)},
            "value": {"estimate": min(1.0, 0.6 + 0.1 * seed)},
        },
        "styles": {"tinted": {"estimate": min(1.0, 0.4 + 0.1 * seed)}},
        "blind": {"all": {"estimate": 0.1}, "value": {"estimate": 0.05}},
        "log": [{"step": 100, "task_loss": 2.0}, {"step": 200, "task_loss": 1.0}],
    }
    if msi:
        layers = len(msi)
        result["routing"] = {
            "msi": msi,
            "imbalance": [load] * layers,
            "text_share": [[0.9, 0.1, 0.5, 0.3]] * layers,
            "bins": [[1, 0, 1, 0] if variant != "plain" else None] * layers,
            "scores": [{"text": [0.6, 0.8, 1.0], "vision": [0.0, 0.1, 0.2]}] * layers,
        }
    return {**result, **fields}


TRAINED = [
    trained("dense", 0),
    *(trained("plain", seed, [0.2 + 0.1 * seed, 0.2]) for seed in range(3)),
    *(trained("smoes-attention", seed, [0.5 + 0.1 * seed, 0.3]) for seed in range(3)),
]


def write(folder: Path, twins: Sequence[Mapping[str, Any]] = TRAINED) -> Path:
    path = folder / "results.json"
    path.write_text(json.dumps({"twins": twins}))
    return path
