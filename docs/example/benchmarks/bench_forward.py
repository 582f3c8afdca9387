"""The layer's forward pass, beside the dense one's."""

import hashlib

import pytest
import torch
from moevlm_bench.harness.agreement import WrongAnswer
from moevlm_bench.harness.answers import Answer
from moevlm_bench.harness.hooks import MeasuredSetup
from moevlm_bench.harness.metrics import LATENCY
from moevlm_bench.harness.paired import Paired
from tinymoe import Dense, TinyMoE

BOUND = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of the largest output


@pytest.mark.parametrize("num_tokens", [1, 256])
def bench_forward(paired: Paired, measured_setup: MeasuredSetup, num_tokens: int) -> None:
    """Time both layers on the same tokens."""
    torch.manual_seed(0)
    moe, drawn_TH = TinyMoE(), torch.randn(num_tokens, 256)
    layers = {"moe": moe, "dense": Dense(moe)}
    for layer in layers.values():
        layer.to(measured_setup["device"], measured_setup["dtype"])
    x_TH = drawn_TH.to(measured_setup["device"], measured_setup["dtype"])

    @torch.inference_mode()
    def forward(arm: str) -> torch.Tensor:
        return layers[arm](x_TH)

    def check(arm: str) -> Answer:
        answer = Answer("outputs", forward(arm), BOUND[x_TH.dtype])
        expected_TH = expected(moe, x_TH, top_k=moe.top_k if arm == "moe" else None)
        error = float((answer.rows_TD.double() - expected_TH).abs().max() / expected_TH.abs().max())
        if not error <= answer.bound:
            raise WrongAnswer(f"{arm}: outputs must be within {answer.bound} of float64's, got {error:.1e}")
        return answer

    hashes = {"workload": hashlib.sha256(drawn_TH.numpy().tobytes()).hexdigest()[:16]}
    paired.measure(forward, arms=layers, check=check, metric=LATENCY, anchor="matmul", hashes=hashes)


@torch.inference_mode()
def expected(moe: TinyMoE, x_TH: torch.Tensor, top_k: int | None) -> torch.Tensor:
    """Compute token by token and expert by expert, in float64; without `top_k` every expert counts, unweighted."""
    rows = []
    for x_H in x_TH.double():
        probabilities_E = (moe.router_EH.double() @ x_H).softmax(0)
        chosen = probabilities_E.argsort(descending=True)[:top_k].tolist()
        outputs = [moe.down_EHF[e].double() @ torch.nn.functional.silu(moe.up_EFH[e].double() @ x_H) for e in chosen]
        weights = [float(probabilities_E[e]) if top_k else 1.0 for e in chosen]
        rows.append(sum(weight * output for weight, output in zip(weights, outputs, strict=True)))
    return torch.stack(rows)
