"""How much slower head was in fact, as all launches of its suites together tell it: what power is power against."""

from collections.abc import Iterable, Mapping

import numpy as np

from bench.gate.ab.changes import MACHINE
from bench.gate.qualify.suites import Suite
from bench.harness.arms import is_peer


def effects(suites: Iterable[Suite]) -> dict[str, float]:
    """Return each scenario's change, of its slowest arm: real launches less placebos, as a log ratio."""
    found: dict[str, dict[str, dict[bool, list[float]]]] = {}
    for launch in (launch for suite in suites for launch in suite.launches):
        for name, measured in launch.scenarios.items():
            for arm, sample in measured.arms.items():
                if arm != MACHINE.arm and not is_peer(arm):
                    by_arm = found.setdefault(name, {}).setdefault(arm, {})
                    by_arm.setdefault(launch.is_placebo, []).append(sample.ratio)
    return {name: max(map(_shift, by_arm.values())) for name, by_arm in found.items()}


def _shift(values: Mapping[bool, list[float]]) -> float:
    return float(np.mean(values.get(False, [0.0])) - np.mean(values.get(True, [0.0])))
