"""What each arm cannot do without: FLOPs and bytes of one unit, from the model's shapes and the routing that ran."""

from collections.abc import Callable, Mapping

import torch

from fixtures.inputs import Inputs
from fixtures.models import Twins
from moevlm.costs import phase_cost
from moevlm.presets import preset_config
from moevlm.specialization import distinct_experts, recorded_routing


def costs_of(
    twins: Twins,
    phase: str,
    *,
    batch_size: int = 1,
    seq_len: int = 1,
    num_tiles: int = 0,
    distinct: float | None = None,
) -> dict[str, dict[str, float]]:
    """Return {"flops", "bytes"} of one run of a phase, by arm; see `moevlm.costs.phase_cost` for the arguments."""
    costs = {}
    for arm, model in twins.items():
        cost = phase_cost(
            model.config,
            phase,
            batch_size=batch_size,
            seq_len=seq_len,
            num_tiles=num_tiles,
            dtype_bytes=model.dtype.itemsize,
            distinct_experts=distinct if arm == "moe" else None,
        )
        costs[arm] = {"flops": float(cost.flops), "bytes": float(cost.bytes)}
    return costs


def answer_costs(twins: Twins, inputs: Inputs) -> dict[str, dict[str, float]]:
    """Return {"flops", "bytes"} of a prefill and its decode steps, by arm; experts as uniform routing hits them."""
    batch_size, prompt = len(inputs.prompt_tokens), inputs.mean_prompt_tokens
    phases = [
        costs_of(twins, "prefill", batch_size=batch_size, seq_len=prompt, num_tiles=inputs.num_tiles),
        *(
            costs_of(twins, "decode", batch_size=batch_size, seq_len=prompt + step)
            for step in range(inputs.num_output_tokens - 1)
        ),
    ]
    return {arm: {unit: sum(cost[arm][unit] for cost in phases) for unit in ("flops", "bytes")} for arm in twins}


def mean_distinct_experts(model: torch.nn.Module, run: Callable[[], object]) -> float:
    """Return how many distinct experts a layer reads in one pass, the mean over layers and passes; off the clock."""
    with recorded_routing(model) as ids:
        run()
    return sum(map(distinct_experts, ids)) / len(ids)


def depth_facts(twins: Twins) -> Mapping[str, float]:
    """Return the depth that was built and each arm's own, for extrapolation."""
    full = {f"full_depth_{arm}": preset_config(twins.preset, arm).text_config.num_hidden_layers for arm in twins}
    return {"depth": twins["moe"].config.text_config.num_hidden_layers, **full}
