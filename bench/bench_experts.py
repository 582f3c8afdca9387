"""Experts: latency of one feed-forward layer alone, by expert backend and number of tokens.

The clock covers the experts of every decoder layer in turn, each with its own weights and its own choice of experts,
so that a layer does not find its weights in a cache because it has just run; router and attention are outside. The
dense arm is the twin's MLP; transformers' backends are further arms, over the same weights and the same choices. On a
GPU each arm is a captured graph, but for those that ask the device for a value on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bench.floors import costs_of
from bench.harness.agreement import bound_of, check_rows
from bench.harness.answers import Answer
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from bench.kernels import kernels_of
from bench.peers.experts import Experts, asks_the_device, peer, peers_of
from fixtures.models import Twins
from moevlm.kernels.cpu.ops import tiers
from moevlm.kernels.fast import has_gpu_kernels
from moevlm.routing.profiles import bias_rows
from moevlm.routing.router import Routing
from moevlm.smoes.specialization import distinct_experts

if TYPE_CHECKING:
    from moevlm.model.feedforward import MoEVLMExperts


@pytest.mark.defaults(backend=["moevlm"])
@torch.inference_mode()
def bench_experts(
    paired: Paired, twins: Twins, routing_hash: str, decode_anchor: str, num_tokens: int, backend: str
) -> None:
    """Send random tokens through the feed-forward part of every layer."""
    from fixtures.oracle.model import transformers_model

    moe = twins["moe"]
    layers = {arm: [layer.mlp for layer in model.model.language_model.layers] for arm, model in twins.items()}
    shape = (num_tokens, moe.config.text_config.hidden_size)
    hidden_TH = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(moe.device, moe.dtype)
    rows_T = bias_rows(torch.arange(num_tokens, device=moe.device)[None])
    routings = [mlp.gate(hidden_TH, rows_T) for mlp in layers["moe"]]
    num_experts = moe.config.text_config.num_experts
    peers = peers_of(backend, moe.device, moe.dtype, routings[0].ids_TK.numel(), num_experts)
    experts: dict[str, list[Experts]] = {arm: [peer(mlp.experts, arm) for mlp in layers["moe"]] for arm in peers}
    experts["moe"] = [mlp.experts for mlp in layers["moe"]]

    def feed_forward(arm: str, chosen: Sequence[Routing] = routings) -> torch.Tensor:
        if arm not in experts:
            return torch.stack([mlp(hidden_TH[None])[0] for mlp in layers[arm]])
        pairs = zip(experts[arm], chosen, strict=True)
        return torch.stack([layer(hidden_TH, routing.ids_TK, routing.weights_TK) for layer, routing in pairs])

    def check(arm: str) -> Answer:
        check_layers(arm, calls[arm](), oracle_of(arm if arm in twins else "moe"), hidden_TH, routings)
        rows_TD = feed_forward(arm, [drawn_like(routing) for routing in routings]).flatten(0, 1)
        return Answer(what="outputs of all layers", rows_TD=rows_TD, bound=bound_of(hidden_TH.dtype))

    oracle_of = cache(lambda arm: transformers_model(twins[arm]))  # peers compute over the MoE's tensors
    calls = {arm: as_timed(partial(feed_forward, arm), arm, backend, hidden_TH) for arm in (*twins, *peers)}
    distinct = sum(distinct_experts(routing.ids_TK) for routing in routings) / len(routings)
    costs = costs_of(twins, "experts", seq_len=num_tokens, distinct=distinct)
    outputs = paired.measure(
        lambda arm: calls[arm](),
        arms=calls,
        check=check,
        metric=LATENCY,
        anchor=decode_anchor,
        num_units=len(routings),
        costs=costs | dict.fromkeys(peers, costs["moe"]),
        hashes={"workload": f"normal-t{num_tokens}-seed0", "routing": routing_hash},
        facts={"distinct_experts": distinct, **kernel_facts(layers["moe"][0].experts, routings[0], hidden_TH)},
        kernels=kernels_of(twins, dict.fromkeys(twins, num_tokens)),
    )
    for arm in experts:
        assert outputs[arm].shape == (len(routings), *shape)
        assert torch.isfinite(outputs[arm]).all()


def drawn_like(routing: Routing) -> Routing:
    """Choose other experts, by a seed alone: two programs' routers may settle a near-tie otherwise."""
    scores_TE = torch.rand(routing.logits_TE.shape, generator=torch.Generator().manual_seed(0))
    weights_TK, ids_TK = scores_TE.topk(routing.ids_TK.shape[1], dim=-1)
    return Routing(routing.logits_TE, weights_TK.to(routing.weights_TK), ids_TK.to(routing.ids_TK))


def as_timed(
    call: Callable[[], torch.Tensor], arm: str, backend: str, hidden_TH: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """Return a call as it is timed: on a GPU a captured graph, unless the arm asks the device for a value."""
    from moevlm.generation.cuda_graph import captured

    call()  # kernels compile, and some tune themselves, at their first call
    is_captured = hidden_TH.device.type == "cuda" and not asks_the_device(arm, backend, hidden_TH.dtype)
    return captured(call, hidden_TH.device) if is_captured else call


def kernel_facts(experts: MoEVLMExperts, routing: Routing, hidden_TH: torch.Tensor) -> dict[str, float]:
    """Return how many sets of instructions the CPU's kernels can use, or whether the GPU's were chosen by measuring."""
    if hidden_TH.device.type != "cuda":
        return {"cpu_kernel_tiers": len(tiers())}
    if not has_gpu_kernels(hidden_TH.dtype):
        return {}
    from moevlm.kernels.triton.ops import tiling_of

    top_k, index = routing.ids_TK.shape[1], hidden_TH.device.index
    tiling = tiling_of(index, hidden_TH.dtype, top_k, *experts.down.shape, len(hidden_TH))
    return {"gpu_kernels_measured": float(tiling.is_measured)}


@torch.inference_mode()
def check_layers(
    arm: str,
    output_LTH: torch.Tensor,
    oracle: Any,
    hidden_TH: torch.Tensor,
    routings: Sequence[Routing],
) -> None:
    """Compare what every layer made of the same tokens.

    Args:
        arm: What made it, as a message names it.
        oracle: transformers' own model over the same tensors.

    Raises:
        WrongAnswer: A token's output is off.
    """
    bound = bound_of(hidden_TH.dtype)
    for index, layer in enumerate(oracle.model.language_model.layers):
        if hasattr(layer.mlp, "experts"):
            expected_TH = layer.mlp.experts(hidden_TH, routings[index].ids_TK, routings[index].weights_TK)
        else:
            expected_TH = layer.mlp(hidden_TH)
        what = f"feed-forward {index} of {arm}"
        check_rows(output_LTH[index], expected_TH, bound=bound, what=what, place=lambda token: f"token {token}")
