"""What each arm cannot do without: FLOPs and bytes of one unit, from the model's shapes and the routing that ran."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

import moevlm
from bench.harness.recycled import DISTINCT_LAYERS, OVER_CACHE
from fixtures.inputs import Inputs
from fixtures.last_level_cache import last_level_cache_bytes
from fixtures.models import Twins
from fixtures.recycling import passed_bytes
from fixtures.scales import LoneArms
from moevlm.costs import Cost, phase_cost
from moevlm.presets import preset_config
from moevlm.smoes.specialization import distinct_experts, recorded_routing

Work = dict[str, Any]  # {"flops", "bytes", "parts": [[flops, bytes], ...]}, as records hold it


def work_of(costs: Sequence[Cost]) -> Work:
    """Add up costs that have the same parts: the steps of one phase."""
    parts = [
        [float(sum(part.flops for part in same)), float(sum(part.bytes for part in same))]
        for same in zip(*(cost.parts for cost in costs), strict=True)
    ]
    return joined([{"flops": flops, "bytes": moved, "parts": [[flops, moved]]} for flops, moved in parts])


def joined(works: Sequence[Work]) -> Work:
    """Put work that runs one after another together, its parts apart."""
    return {
        "flops": sum(work["flops"] for work in works),
        "bytes": sum(work["bytes"] for work in works),
        "parts": [part for work in works for part in work["parts"]],
    }


def costs_of(
    twins: Twins,
    phase: str,
    *,
    batch_size: int = 1,
    seq_len: int = 1,
    num_tiles: int = 0,
    distinct: float | None = None,
    num_steps: int = 1,
) -> dict[str, Work]:
    """Return the work of a phase by arm.

    Args:
        phase: A key of `moevlm.costs.PHASES`; the sizes are those of `moevlm.costs.phase_cost`.
        distinct: Distinct experts that a layer of the MoE reads; None: as uniform routing hits them.
        num_steps: Runs of the phase, each on one token a sample more than the last.
    """
    return {
        arm: work_of(
            [
                phase_cost(
                    model.config,
                    phase,
                    batch_size=batch_size,
                    seq_len=seq_len + step,
                    num_tiles=num_tiles,
                    dtype_bytes=model.dtype.itemsize,
                    distinct_experts=distinct if arm == "moe" else None,
                )
                for step in range(num_steps)
            ]
        )
        for arm, model in twins.items()
    }


def answer_costs(twins: Twins, inputs: Inputs) -> dict[str, Work]:
    """Return the work of a prefill and its decode steps by arm; the MoE answers once to show which experts it hits."""
    moe, tensors, num_steps = twins["moe"], inputs.tensors, inputs.num_output_tokens - 1
    load = {"batch_size": len(inputs.prompt_tokens), "seq_len": inputs.mean_prompt_tokens}
    with recorded_routing(moe) as ids:
        state = moevlm.prefill(moe, tensors, max_new_tokens=inputs.num_output_tokens)
    phases = [costs_of(twins, "prefill", **load, num_tiles=inputs.num_tiles, distinct=_mean_distinct(ids))]
    if num_steps:
        hit = mean_distinct_experts(moe, lambda: moevlm.decode_steps(moe, state, num_steps=num_steps))
        phases.append(costs_of(twins, "decode", **load, distinct=hit, num_steps=num_steps))
    return {arm: joined([works[arm] for works in phases]) for arm in twins}


def mean_distinct_experts(model: torch.nn.Module, run: Callable[[], object]) -> float:
    """Return how many distinct experts a layer reads in one pass, the mean over layers and passes; off the clock."""
    with recorded_routing(model) as ids:
        run()
    return _mean_distinct(ids)


def _mean_distinct(ids: Sequence[torch.Tensor]) -> float:
    return sum(map(distinct_experts, ids)) / len(ids)


def depth_facts(twins: Twins | LoneArms) -> Mapping[str, float]:
    """Return the depth that is built and each arm's own, for extrapolation; how many are distinct, if not all."""
    full = {f"full_depth_{arm}": preset_config(twins.preset, arm).text_config.num_hidden_layers for arm in twins}
    return {"depth": twins.depth, **full, **(recycling_facts(twins) if isinstance(twins, Twins) else {})}


def recycling_facts(twins: Twins) -> Mapping[str, float]:
    """Return how many layers are distinct, and how many last-level caches any step reads of them at least."""
    if twins.distinct_layers is None:
        return {}
    cached = last_level_cache_bytes(twins["moe"].device)
    passed = min(passed_bytes(model, twins.distinct_layers) for model in twins.values())
    known = {OVER_CACHE: passed / cached} if cached else {}
    return {DISTINCT_LAYERS: twins.distinct_layers, **known}
