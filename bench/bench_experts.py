"""Experts: latency of one feed-forward layer alone, by expert backend and number of tokens.

The clock covers the experts of every decoder layer in turn, each with its own weights and its own choice of experts,
so that a layer does not find its weights in a cache because it has just run; router and attention are outside. The
dense arm is the twin's MLP.
"""

import pytest
import torch

from bench.floors import costs_of
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from fixtures.models import Twins
from moevlm.experts import reference_experts
from moevlm.feedforward import MoEVLMExperts
from moevlm.router import Routing
from moevlm.routing_profiles import bias_rows
from moevlm.specialization import distinct_experts

CHECKED_TOKENS = 4  # the slow path takes milliseconds a token at 7b
ERROR_BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 1e-2, torch.float16: 1e-2}


@pytest.mark.defaults(backend=["eager", "grouped_mm", "batched_mm"])
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

    def feed_forward(arm: str) -> torch.Tensor:
        if arm != "moe":
            return torch.stack([mlp(hidden_TH[None])[0] for mlp in layers[arm]])
        pairs = zip(layers[arm], routings, strict=True)
        return torch.stack([mlp.experts(hidden_TH, routing.ids_TK, routing.weights_TK) for mlp, routing in pairs])

    distinct = sum(distinct_experts(routing.ids_TK) for routing in routings) / len(routings)
    outputs = paired.measure(
        feed_forward,
        arms=twins,
        metric=LATENCY,
        anchor=decode_anchor,
        num_units=len(routings),
        costs=costs_of(twins, "experts", seq_len=num_tokens, distinct=distinct),
        hashes={"workload": f"normal-t{num_tokens}-seed0", "routing": routing_hash},
        facts={"distinct_experts": distinct},
    )
    assert outputs["moe"].shape == (len(routings), *shape)
    assert (
        reference_error(layers["moe"][0].experts, hidden_TH, routings[0], outputs["moe"][0]) < ERROR_BOUNDS[moe.dtype]
    )


def reference_error(
    experts: MoEVLMExperts, hidden_TH: torch.Tensor, routing: Routing, output_TH: torch.Tensor
) -> float:
    """Return the relative error of the first tokens' outputs against the slow float64 path."""
    hidden_TH, ids_TK, weights_TK = (t[:CHECKED_TOKENS] for t in (hidden_TH, routing.ids_TK, routing.weights_TK))
    expected_TH = reference_experts(experts.gate_up_proj, experts.down, hidden_TH, ids_TK, weights_TK)
    difference_TH = output_TH[:CHECKED_TOKENS].double() - expected_TH
    return float(difference_TH.norm() / expected_TH.norm())
