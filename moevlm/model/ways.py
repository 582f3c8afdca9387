"""Which way a layer's feed-forward goes on a CPU, for those who tell of it; the layer itself asks at each call.

Shapes: T tokens, H hidden size.
"""

from typing import Any

from moevlm.kernels.backends import OURS
from moevlm.kernels.best_backend import AUTO
from moevlm.kernels.cpu.choosing import PRODUCTS
from moevlm.kernels.cpu.way_timing import DENSE, EXPERTS
from moevlm.kernels.fast import cpu_way, is_swiglu_inference
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts, MoEVLMSparseMLP


def way_of(mlp: MoEVLMSparseMLP | MoEVLMDenseMLP, num_tokens: int) -> str:
    """Name what computes so many tokens at once: a key of `WAYS`, or the experts' backend that was asked for.

    A choice that this machine has not made is made now. Empty off the CPU, where others choose.
    """
    if isinstance(mlp, MoEVLMDenseMLP):
        return _cpu_way(mlp, DENSE, num_tokens, num_tokens, mlp.hidden_act)
    config: Any = mlp.experts.config  # which transformers' decorator puts there
    if config._experts_implementation not in (None, AUTO, OURS):
        return str(config._experts_implementation)
    rows = num_tokens * mlp.gate.top_k / mlp.experts.num_experts
    return _cpu_way(mlp.experts, EXPERTS, num_tokens, rows, config.hidden_act)


def _cpu_way(holder: MoEVLMExperts | MoEVLMDenseMLP, kind: str, num_tokens: int, rows: float, hidden_act: str) -> str:
    gate_up_EWH, down_EIH = holder.gate_up_proj, holder.down
    if down_EIH.device.type != "cpu":
        return ""
    hidden_TH = down_EIH.new_empty(num_tokens, down_EIH.shape[-1])
    takes = is_swiglu_inference(gate_up_EWH, down_EIH, hidden_TH, hidden_act)
    return cpu_way(kind, down_EIH, hidden_TH, rows) if takes else PRODUCTS
