"""Experts: latency of one feed-forward layer alone, by expert backend and number of tokens.

The clock covers the experts of every decoder layer in turn, each with its own weights and its own choice of experts,
so that a layer does not find its weights in a cache because it has just run; router and attention are outside. The
dense arm is the twin's MLP; transformers' backends are further arms, over the same weights and the same choices.
"""

import copy
from typing import Any

import pytest
import torch

from bench.floors import costs_of
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from fixtures.models import Twins
from moevlm.experts import reference_experts
from moevlm.feedforward import MoEVLMExperts
from moevlm.kernels.cpu.ops import tiers
from moevlm.router import Routing
from moevlm.routing_profiles import bias_rows
from moevlm.specialization import distinct_experts

PEERS = ("eager", "grouped_mm", "batched_mm")  # transformers' backends
CHECKED_TOKENS = 4  # the slow path takes milliseconds a token at 7b
ERROR_BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 1e-2, torch.float16: 1e-2}


@pytest.mark.defaults(backend=["moevlm"])
@torch.inference_mode()
def bench_experts(
    paired: Paired, twins: Twins, routing_hash: str, decode_anchor: str, num_tokens: int, backend: str
) -> None:
    """Send random tokens through the feed-forward part of every layer."""
    moe = twins["moe"]
    layers = {arm: [layer.mlp for layer in model.model.language_model.layers] for arm, model in twins.items()}
    shape = (num_tokens, moe.config.text_config.hidden_size)
    hidden_TH = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(moe.device, moe.dtype)
    rows_T = bias_rows(torch.arange(num_tokens, device=moe.device)[None])
    routings = [mlp.gate(hidden_TH, rows_T) for mlp in layers["moe"]]
    peers = peers_of(backend, moe.dtype, routings[0].ids_TK.numel(), moe.config.text_config.num_experts)
    experts = {arm: [with_backend(mlp.experts, name) for mlp in layers["moe"]] for arm, name in peers.items()}
    experts["moe"] = [mlp.experts for mlp in layers["moe"]]

    def feed_forward(arm: str) -> torch.Tensor:
        if arm not in experts:
            return torch.stack([mlp(hidden_TH[None])[0] for mlp in layers[arm]])
        pairs = zip(experts[arm], routings, strict=True)
        return torch.stack([layer(hidden_TH, routing.ids_TK, routing.weights_TK) for layer, routing in pairs])

    distinct = sum(distinct_experts(routing.ids_TK) for routing in routings) / len(routings)
    costs = costs_of(twins, "experts", seq_len=num_tokens, distinct=distinct)
    outputs = paired.measure(
        feed_forward,
        arms=[*twins, *peers],
        metric=LATENCY,
        anchor=decode_anchor,
        num_units=len(routings),
        costs=costs | dict.fromkeys(peers, costs["moe"]),
        hashes={"workload": f"normal-t{num_tokens}-seed0", "routing": routing_hash},
        facts={"distinct_experts": distinct, "cpu_kernel_tiers": len(tiers())},
    )
    for arm in experts:
        assert outputs[arm].shape == (len(routings), *shape)
        error = reference_error(layers["moe"][0].experts, hidden_TH, routings[0], outputs[arm][0])
        assert error < ERROR_BOUNDS[moe.dtype], arm


def peers_of(backend: str, dtype: torch.dtype, num_pairs: int, num_experts: int) -> dict[str, str]:
    """Return transformers' backends to measure beside `backend`, by the arm's name.

    grouped_mm has no float64. batched_mm copies the weights of each (token, expert) pair: it is left out where it would
    copy more than there are. None is judged: they are another project's.
    """
    left_out = {"grouped_mm": dtype is torch.float64, "batched_mm": num_pairs > num_experts}
    return {f"transformers/{name}": name for name in PEERS if name != backend and not left_out.get(name, False)}


def with_backend(experts: MoEVLMExperts, backend: str) -> MoEVLMExperts:
    """Return the same experts, of the same tensors, under another backend."""
    config: Any = copy.copy(experts.config)
    config._experts_implementation = backend
    peer = copy.copy(experts)
    peer.config = config
    return peer


def reference_error(
    experts: MoEVLMExperts, hidden_TH: torch.Tensor, routing: Routing, output_TH: torch.Tensor
) -> float:
    """Return the relative error of the first tokens' outputs against the slow float64 path."""
    hidden_TH, ids_TK, weights_TK = (t[:CHECKED_TOKENS] for t in (hidden_TH, routing.ids_TK, routing.weights_TK))
    expected_TH = reference_experts(experts.gate_up_proj, experts.down, hidden_TH, ids_TK, weights_TK)
    difference_TH = output_TH[:CHECKED_TOKENS].double() - expected_TH
    return float(difference_TH.norm() / expected_TH.norm())
