"""Expert backends by name, in transformers' experts interface; the reference is the oracle of the others.

Shapes: T tokens, H hidden size, E experts, I width of one expert, K experts a token.
"""

from typing import TYPE_CHECKING, Protocol

import torch

from moevlm.kernels.cpu.matmul import linear
from moevlm.kernels.fast import fast_experts
from moevlm.kernels.products import Activation, loop_experts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from moevlm.config import MoEVLMTextConfig

OURS, REFERENCE = "moevlm", "reference"
EXPERT_BACKENDS = {
    "eager": "transformers' loop over the experts that were hit",
    "grouped_mm": "tokens sorted by expert, one grouped matrix product a projection; not in float64",
    "batched_mm": "the weights of each (token, expert) pair gathered, one batched product a projection",
    OURS: "kernels that read each hit expert's weights once: C++ on a CPU, Triton on a GPU; a plain loop for gradients",
    REFERENCE: "float64, one (token, expert) pair at a time: slow, the oracle",
}
DEFAULT_BACKENDS = {"cpu": OURS, "cuda": "grouped_mm"}  # by device type; no GPU has yet shown ours to be faster


def set_expert_backend(model: "PreTrainedModel", name: str) -> None:
    """Choose the expert backend of a whole model.

    Args:
        model: A model with experts; a dense one only records the name.
        name: A key of `EXPERT_BACKENDS`.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in EXPERT_BACKENDS:
        raise ValueError(
            f"expert backend must be one of {', '.join(EXPERT_BACKENDS)}, got {name!r}; choose one of them"
        )
    model.set_experts_implementation(name)


def reference_experts(
    gate_up_proj: torch.Tensor,
    down: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    *,
    hidden_act: str = "silu",
) -> torch.Tensor:
    """Sum the chosen experts of each token in float64: sum_k w_k * down_e (act(gate_e x) * up_e x), e = id_k.

    Args:
        gate_up_proj: (E, 2I, H): the gate's rows, then up's.
        down: (E, I, H).
        hidden_TH: Hidden states.
        ids_TK: Expert ids, int64.
        weights_TK: Expert weights.
        hidden_act: Activation by transformers' name.

    Returns:
        (T, H) in float64. SwiGLU experts: Shazeer 2020, arXiv:2002.05202; as in Qwen3-MoE.
    """
    from transformers.activations import ACT2FN

    activation = ACT2FN[hidden_act]
    output_TH = torch.zeros(hidden_TH.shape, dtype=torch.float64, device=hidden_TH.device)
    for token, (ids_K, weights_K) in enumerate(zip(ids_TK.tolist(), weights_TK.double(), strict=True)):
        for expert, weight in zip(ids_K, weights_K, strict=True):
            gate_I, up_I = (gate_up_proj[expert].double() @ hidden_TH[token].double()).chunk(2)
            output_TH[token] += weight * ((activation(gate_I) * up_I) @ down[expert].double())
    return output_TH


class Experts(Protocol):
    """What a backend reads of the module that holds the weights."""

    config: "MoEVLMTextConfig"
    gate_up_proj: torch.Tensor
    down: torch.Tensor
    act_fn: Activation


def _our_forward(
    experts: Experts, hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor
) -> torch.Tensor:
    """Run the device's kernels, else the loop: where a gradient is wanted, or nothing better is known."""
    tensors = (experts.gate_up_proj, experts.down, hidden_TH, ids_TK, weights_TK)
    output_TH = fast_experts(*tensors, experts.config.hidden_act)
    return loop_experts(*tensors, experts.act_fn, linear) if output_TH is None else output_TH


def _reference_forward(
    experts: Experts, hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor
) -> torch.Tensor:
    act = experts.config.hidden_act
    output_TH = reference_experts(experts.gate_up_proj, experts.down, hidden_TH, ids_TK, weights_TK, hidden_act=act)
    return output_TH.to(hidden_TH.dtype)


FORWARDS = {OURS: _our_forward, REFERENCE: _reference_forward}  # `best_backend` registers them with transformers
