"""Launches of both sides as numbers: how far head's arms lie from base's, one number a launch. Above 0 is worse."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.gate.ab.exact import Floats
from bench.gate.ab.launches import PairedLaunch
from bench.gate.stats import pseudo_median
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR, PRIMARY, TWIN, is_peer

BASE = "base"  # what every arm of head is divided by: the same arm of base, in the same block
MOE_ONLY = Control(arm=PRIMARY, against=TWIN)  # what is left of the MoE's change without its twin's
MACHINE = Control(arm=ANCHOR, against=BASE)


@dataclass(frozen=True, kw_only=True)
class Series:
    """All launches of one scenario: for each control one log ratio a launch."""

    scenario: str
    counted: bool
    values: Mapping[Control, Sequence[float]]

    @property
    def num_launches(self) -> int:
        """How many launches were measured."""
        return len(next(iter(self.values.values())))


def is_judged(control: Control) -> bool:
    """Tell whether a control is head's code against base's; the others only say where a change comes from."""
    return control.against == BASE and control.arm != ANCHOR and not is_peer(control.arm)


def series_of(launches: Iterable[PairedLaunch]) -> dict[str, Series]:
    """Gather launches by scenario, in their order; placebo launches and real ones are the caller's to keep apart."""
    groups: dict[str, list[PairedLaunch]] = {}
    for launch in launches:
        groups.setdefault(launch.scenario, []).append(launch)
    found = {}
    for name, group in groups.items():
        changes = [launch_changes(launch) for launch in group]
        values = {control: [change[control] for change in changes] for control in changes[0]}
        found[name] = Series(scenario=name, counted=group[0].counted, values=values)
    return found


def launch_changes(launch: PairedLaunch) -> dict[Control, float]:
    """Return one number for each control: the pseudo-median over blocks of log(head / base), above 0 where worse.

    Two counts of 0 are equal, one of them is infinitely far from anything else.

    Returns:
        Each arm against base's, then the MoE's change less its dense twin's, where both were measured.
    """
    blocks = {arm: launch.sign * _log_ratios(head, base) for arm, (base, head) in launch.arms.items()}
    found = {Control(arm=arm, against=BASE): pseudo_median(ratios.tolist()) for arm, ratios in blocks.items()}
    if PRIMARY in blocks and TWIN in blocks:
        found[MOE_ONLY] = pseudo_median((blocks[PRIMARY] - blocks[TWIN]).tolist())
    return found


def _log_ratios(head: Sequence[float], base: Sequence[float]) -> Floats:
    """Return log(head / base) of each block."""
    if len(head) != len(base):
        raise ValueError(f"both sides must have run the same blocks, got {len(head)} of head and {len(base)} of base")
    return np.array([0.0 if new == old else _log(new) - _log(old) for new, old in zip(head, base, strict=True)])


def _log(value: float) -> float:
    return math.log(value) if value else -math.inf
