"""The arms of a measurement on several devices: one model, its weights and inputs the same, spread in four ways."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist

from bench.distributed.seen import NUM_DECODE_STEPS, STEPS, Seen
from bench.harness.arms import PRIMARY
from fixtures.devices import resolve_dtype
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import MoEVLM, RoutingProfile, decode_steps, prefill
from moevlm.model.processing import build_processor
from moevlm.parallel import Group, parallelize, recorded_traffic, serve
from moevlm.smoes.placement import HOME_RULES, cross_device_rate, place_by_bins, place_in_order
from moevlm.smoes.specialization import modality_specialization_index, recorded_routing
from moevlm.steering.replay import RecordedRouting, record_routing


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What one arm differs by.

    Args:
        steered: Whether it takes the routing that was asked for; else routing is uniform.
        bins: Whether experts lie by whom they serve; else in index order.
        copies: A token's hidden state goes once to a "device" or once to each remote "expert".
    """

    steered: bool = True
    bins: bool = False
    copies: str = "device"


ARMS = {
    PRIMARY: Arm(bins=True),
    "in_order": Arm(),
    "copy_an_expert": Arm(bins=True, copies="expert"),
    "uniform": Arm(steered=False),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every arm is to run.

    Args:
        seq_len: Tokens of a prompt.
        routing: What steers the routers of steered arms, as `RoutingProfile.parse` reads it.
    """

    preset: str
    depth: int | None
    workload: str
    batch_size: int
    seq_len: int
    routing: str
    home: str


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One arm's model on this device, and its part of the batch."""

    model: MoEVLM
    inputs: Mapping[str, torch.Tensor]
    inputs_hash: str  # of the whole batch
    seen: Seen


def spread(arm: Arm, asked: Asked, group: Group, device: torch.device) -> Spread:
    """Build an arm's model, route the whole batch once on one device, and spread the experts."""
    profile = RoutingProfile.parse(asked.routing if arm.steered else "uniform")
    placed: dict[str, Any] = {"device": device, "dtype": resolve_dtype("auto", device)}
    model = build_twins(asked.preset, arms=("moe",), depth=asked.depth, routing=profile, **placed)["moe"]
    samples = sample(load_workload(asked.workload), num_samples=asked.batch_size, seed=0)
    inputs = make_inputs(samples, build_processor(model.config), seq_len=asked.seq_len, **placed)
    batch = inputs.tensors
    with recorded_routing(model) as ids_by_layer:
        recorded = record_routing(model, batch)
    placement = _placement(arm, recorded, group.num_devices)
    homes_T = HOME_RULES[asked.home](batch["input_ids"] == model.config.image_token_id, group.num_devices)
    layers = zip(ids_by_layer, placement, strict=True)
    rate = fmean(cross_device_rate(ids_TK, device_E.to(device), homes_T) for ids_TK, device_E in layers)
    part = parallelize(model, group, placement, home=asked.home, copies=arm.copies)
    seen = Seen(msi=modality_specialization_index(recorded.load()), rate=rate)
    return Spread(model=model, inputs=part.own_inputs(batch), inputs_hash=inputs.hash, seen=seen)


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


def _keep(arm: Spread, phase: str, call: Callable[[], Any], group: Group, device: torch.device) -> Any:
    with recorded_traffic(group) as traffic:
        result, time_s = timed(call, device)
    arm.seen.times_s[phase].append(time_s / STEPS[phase])
    arm.seen.traffic[phase].append(traffic)
    return result


def timed(call: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """Call together with all other devices; return the result and the seconds it took here."""
    dist.barrier()
    start_s = time.perf_counter()
    result = call()
    if device.type == "cuda":  # the call has only queued its work
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - start_s
