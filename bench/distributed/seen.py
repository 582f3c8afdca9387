"""What the devices saw of an arm, joined: a pass lasts until the slowest is done, bytes add up, load is compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean
from typing import NamedTuple

import torch

from moevlm.parallel import Traffic
from moevlm.parallel.all_to_all import LEGS
from moevlm.smoes.specialization import max_over_mean_load

NUM_DECODE_STEPS = 4  # as bench_decode
WARMUP_ROUNDS = 2  # the first pays for allocation and connections
STEPS = {"prefill": 1, "decode": NUM_DECODE_STEPS}  # of each phase; times and bytes are of one


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one device saw of an arm: time and traffic of each round by phase; and how the batch was routed."""

    msi: float
    rate: float  # share of the batch's tokens that leave their device
    times_s: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in STEPS})
    traffic: dict[str, list[Traffic]] = field(default_factory=lambda: {phase: [] for phase in STEPS})


class Joined(NamedTuple):
    """What all devices together saw of an arm in one phase."""

    times_s: list[float]  # of each round
    legs_s: dict[str, list[float]]  # leg -> seconds of each round in its exchanges, of the device that spent most
    facts: dict[str, float]  # bytes by leg, load, and in prefill specialization and cross-device rate


def join_devices(of_devices: Sequence[Seen], phase: str) -> Joined:
    """Join what the devices saw of one arm and phase, in the rounds after the warm-up."""
    rounds = list(zip(*(one.traffic[phase][WARMUP_ROUNDS:] for one in of_devices), strict=True))
    times_s = zip(*(one.times_s[phase][WARMUP_ROUNDS:] for one in of_devices), strict=True)
    busiest = [max(devices, key=Traffic.time_s) for devices in rounds]
    legs_s = {
        leg: [sum(one.time_s for one in traffic.exchanges if one.leg == leg) / STEPS[phase] for traffic in busiest]
        for leg in LEGS
    }
    last = rounds[-1]  # counts are the same in every round
    loads = [max_over_mean_load(torch.tensor(pairs)) for pairs in zip(*(one.pairs for one in last), strict=True)]
    facts = {f"sent_bytes_{leg}": 0.0 for leg in LEGS}
    for exchange in chain.from_iterable(one.exchanges for one in last):
        facts[f"sent_bytes_{exchange.leg}"] += exchange.sent_bytes / STEPS[phase]
    facts["load_max_over_mean"] = fmean(loads)
    if phase == "prefill":  # of the prompt, which has both modalities
        facts |= {"msi": of_devices[0].msi, "cross_device_rate": of_devices[0].rate}
    return Joined(times_s=list(map(max, times_s)), legs_s=legs_s, facts=facts)
