"""Launches of both sides as numbers: how far head's arms lie from base's, one number a launch. Above 0 is worse."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.gate.ab.launches import PairedLaunch
from bench.gate.stats import pseudo_median
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR, is_peer

BASE = "base"  # what every arm of head is divided by: the same arm of base, in the same block
MACHINE = Control(arm=ANCHOR, against=BASE)


def is_judged(control: Control) -> bool:
    """Tell whether a control is head's code against base's; the others only say where a change comes from."""
    return control.against == BASE and control.arm != ANCHOR and not is_peer(control.arm)


def launch_changes(launch: PairedLaunch) -> dict[Control, float]:
    """Return one number for each arm: the pseudo-median over blocks of log(head / base), above 0 where worse.

    Two counts of 0 are equal, one of them is infinitely far from anything else.
    """
    return {
        Control(arm=arm, against=BASE): pseudo_median((launch.sign * _log_ratios(head, base)).tolist())
        for arm, (base, head) in launch.arms.items()
    }


def _log_ratios(head: Sequence[float], base: Sequence[float]) -> NDArray[np.float64]:
    """Return log(head / base) of each block."""
    if len(head) != len(base):
        raise ValueError(f"both sides must have run the same blocks, got {len(head)} of head and {len(base)} of base")
    return np.array([0.0 if new == old else _log(new) - _log(old) for new, old in zip(head, base, strict=True)])


def _log(value: float) -> float:
    return math.log(value) if value else -math.inf
