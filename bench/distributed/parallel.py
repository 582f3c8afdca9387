"""Expert parallelism: what crosses devices and what that costs, by routing, placement and what travels.

Several processes take part, so pytest does not run this: `torchrun --nproc-per-node 2 -m bench.distributed.parallel`.

Every arm has the same weights and inputs. A pass lasts from a barrier until the slowest device is done; arms take turns
in an order drawn anew each round, the same on all devices. The clock is the wall's: what one process waits for the
machine, all others wait for it.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
import torch.distributed as dist

from bench.harness.report import markdown_table
from bench.harness.stats import median_interval
from fixtures.devices import resolve_dtype
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import MoEVLM, RoutingProfile, decode_steps, prefill
from moevlm.parallel import PARTS, Group, PacedLink, Traffic, joined, parallelize, recorded_traffic, serve
from moevlm.parallel.group import LEGS, Link, all_to_all
from moevlm.placement import HOME_RULES, cross_device_rate, place_by_bins, place_in_order
from moevlm.processing import build_processor
from moevlm.replay import RecordedRouting, record_routing
from moevlm.specialization import max_over_mean_load, recorded_routing

NUM_DECODE_STEPS = 4  # as bench_decode
WARMUP_ROUNDS = 2  # the first pays for allocation and connections
BITS = 8
STEPS = {"prefill": 1, "decode": NUM_DECODE_STEPS}  # of each phase; times are of one
HEADERS = ("phase", "arm", "time [95 %]", "in exchanges", "bytes sent", "shared", "cross-device rate", "load, max/mean")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What one arm differs by; `steered` takes the routing of the command line, else routing is uniform."""

    steered: bool = True
    bins: bool = False
    copies: str = "device"


ARMS = {
    "uniform, in order": Arm(steered=False),
    "in order": Arm(),
    "bins": Arm(bins=True),
    "bins, a copy an expert": Arm(bins=True, copies="expert"),
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one device saw of an arm: time and traffic of each round by phase; and the batch's cross-device rate."""

    rate: float
    times_s: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in STEPS})
    traffic: dict[str, list[Traffic]] = field(default_factory=lambda: {phase: [] for phase in STEPS})


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One arm's model on this device, and its part of the batch."""

    model: MoEVLM
    inputs: Mapping[str, torch.Tensor]
    seen: Seen


def spread(arm: Arm, options: argparse.Namespace, group: Group, device: torch.device) -> Spread:
    """Build an arm's model, route the whole batch once on one device, and spread the experts."""
    profile = RoutingProfile.parse(options.routing if arm.steered else "uniform")
    placed: dict[str, Any] = {"device": device, "dtype": resolve_dtype("auto", device)}
    model = build_twins(options.preset, arms=("moe",), depth=options.depth, routing=profile, **placed)["moe"]
    samples = sample(load_workload(options.workload), num_samples=options.batch_size, seed=0)
    batch = make_inputs(samples, build_processor(model.config), seq_len=options.seq_len, **placed).tensors
    with recorded_routing(model) as ids_by_layer:
        recorded = record_routing(model, batch)
    placement = _placement(arm, recorded, group.num_devices)
    homes_T = HOME_RULES[options.home](batch["input_ids"] == model.config.image_token_id, group.num_devices)
    layers = zip(ids_by_layer, placement, strict=True)
    rate = fmean(cross_device_rate(ids_TK, device_E.to(device), homes_T) for ids_TK, device_E in layers)
    part = parallelize(model, group, placement, home=options.home, copies=arm.copies)
    return Spread(model=model, inputs=part.own_inputs(batch), seen=Seen(rate=rate))


def _placement(arm: Arm, recorded: RecordedRouting, num_devices: int) -> list[torch.Tensor]:
    if arm.bins:
        return [place_by_bins(load_ME, num_devices) for load_ME in recorded.load()]
    return [place_in_order(recorded.num_experts, num_devices)] * len(recorded.ids_LTK)


def run_phases(arm: Spread, group: Group, device: torch.device) -> None:
    """Run prefill, then decode steps, and keep the time and the traffic of each."""
    has_samples = len(arm.inputs["input_ids"]) > 0
    start = partial(prefill, arm.model, arm.inputs, max_new_tokens=NUM_DECODE_STEPS)
    state = _keep(arm, "prefill", start if has_samples else partial(serve, arm.model), group, device)
    go_on = partial(decode_steps, arm.model, state, num_steps=NUM_DECODE_STEPS)
    _keep(arm, "decode", go_on if has_samples else partial(_serve_steps, arm.model), group, device)


def _serve_steps(model: MoEVLM) -> None:
    for _ in range(NUM_DECODE_STEPS):
        serve(model)


def _keep(arm: Spread, phase: str, call: Any, group: Group, device: torch.device) -> Any:
    dist.barrier()
    with recorded_traffic(group) as traffic:
        start_s = time.perf_counter()
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        arm.seen.times_s[phase].append((time.perf_counter() - start_s) / STEPS[phase])
    arm.seen.traffic[phase].append(traffic)
    return result


def summarise(of_devices: Sequence[Seen], phase: str) -> dict[str, Any]:
    """Join what the devices saw of one arm and phase, in the rounds after the warm-up.

    Args:
        of_devices: By device.
        phase: One of STEPS.
    """
    rounds = [one.traffic[phase][WARMUP_ROUNDS:] for one in of_devices]
    last = [traffic[-1] for traffic in rounds]  # counts are the same in every round
    loads = [max_over_mean_load(torch.tensor(pairs)) for pairs in zip(*(one.pairs for one in last), strict=True)]
    times_s = list(map(max, zip(*(one.times_s[phase] for one in of_devices), strict=True)))
    sent_bytes = dict.fromkeys(LEGS, 0)
    for exchange in chain.from_iterable(one.exchanges for one in last):
        sent_bytes[exchange.leg] += exchange.sent_bytes
    return {
        "times_s": times_s[WARMUP_ROUNDS:],
        "exchanging_s": [median(one.time_s() for one in traffic) / STEPS[phase] for traffic in rounds],
        "sent_bytes": {leg: count // STEPS[phase] for leg, count in sent_bytes.items()},
        "cross_device_rate": of_devices[0].rate if phase == "prefill" else None,
        "load_max_over_mean": fmean(loads),
    }


def _row(phase: str, arm: str, seen: Mapping[str, Any]) -> tuple[str, ...]:
    estimate, low, high = (1e3 * value for value in median_interval(seen["times_s"]))
    rate = seen["cross_device_rate"]
    return (
        phase,
        arm,
        f"{estimate:.2f} ms [{low:.2f}, {high:.2f}]",
        f"{1e3 * max(seen['exchanging_s']):.2f} ms",
        f"{sum(count for leg, count in seen['sent_bytes'].items() if leg != 'share'):,}",
        f"{seen['sent_bytes']['share']:,}",
        "" if rate is None else f"{rate:.1%}",
        f"{seen['load_max_over_mean']:.2f}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node 2 -m bench.distributed.parallel", description=__doc__
    )
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--depth", type=int, help="decoder layers (default: all)")
    parser.add_argument("--workload", default="mmmu")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--routing", default="specialized:4", help="of all arms but the first, which is uniform")
    parser.add_argument("--home", choices=sorted(PARTS), default="modality")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--gigabit", type=float, help="pace the link to so many Gb/s each way (default: as it is)")
    parser.add_argument("--latency-us", type=float, default=0.0, help="added to every exchange of a paced link")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write what was seen as JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all arms on the devices that torchrun started; device 0 prints."""
    options = _parser().parse_args(arguments)
    with joined(options.device) as device:
        if device.type == "cpu":
            torch.set_num_threads(1)
        link: Link = all_to_all
        if options.gigabit:
            rate = options.gigabit * 1e9 / BITS
            link = PacedLink(dist.get_rank(), bytes_per_s=rate, latency_s=options.latency_us / 1e6)
        group, order = Group(link), random.Random(0)
        arms = {name: spread(arm, options, group, device) for name, arm in ARMS.items()}
        for _ in range(WARMUP_ROUNDS + options.rounds):
            for name in order.sample(sorted(arms), len(arms)):
                run_phases(arms[name], group, device)
        _report(arms, group, options)


def _report(arms: Mapping[str, Spread], group: Group, options: argparse.Namespace) -> None:
    of_devices: list[Any] = [None] * group.num_devices
    dist.all_gather_object(of_devices, {name: arm.seen for name, arm in arms.items()})
    if group.device:
        return
    found = {(phase, name): summarise([one[name] for one in of_devices], phase) for phase in STEPS for name in arms}
    rows = [_row(phase, name, seen) for (phase, name), seen in found.items()]
    sys.stdout.write(markdown_table(HEADERS, rows) + "\n")
    if options.out:
        record = {
            "options": {name: str(value) for name, value in vars(options).items()},
            "num_devices": group.num_devices,
            "arms": [{"phase": phase, "arm": name, **seen} for (phase, name), seen in found.items()],
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
