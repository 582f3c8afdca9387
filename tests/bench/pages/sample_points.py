"""Points made up for tests."""

from typing import Any

from bench.gate.stats import Interval
from bench.pages.pareto.points import AXES, Point


def point(name: str, accuracy: Interval, rate: Interval, **changes: Any) -> Point:
    fields: dict[str, Any] = {
        "tier": "measured", "task": "charts", "series": name, "size": "small", "kind": "dense",
        "num_parameters": 1e6 + int.from_bytes(name.encode()[:6]),  # a shape of its own
        "num_active_parameters": 1e6, "accuracy": accuracy, "throughput": dict.fromkeys(AXES, rate),
        "accuracy_by_seed": {0: accuracy, 1: accuracy},
    }  # fmt: skip
    return Point(**{**fields, **changes})


def around(estimate: float, half: float) -> Interval:
    return Interval(estimate, estimate - half, estimate + half)
