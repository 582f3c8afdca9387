"""Experts through torch's grouped product, for graphs and compilation: no value reaches the host.

Shapes: T tokens, K experts a token, P = T * K pairs, H hidden size, E experts, I width of one expert.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F


def grouped_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
) -> torch.Tensor:
    """Sum the chosen experts of each token, pairs sorted by expert; arguments as in `moevlm.kernels.fast.fast_experts`.

    Allocated beside the output: P x H gathered inputs, P x 2I and P x I activations, P x H outputs.
    """
    num_experts, top_k = down_EIH.shape[0], ids_TK.shape[1]
    ids_P = ids_TK.flatten()
    sorted_P, pairs_P = ids_P.short().sort(stable=True)
    experts_E = torch.arange(num_experts, dtype=torch.short, device=ids_P.device)
    ends_E = torch.searchsorted(sorted_P, experts_E, right=True).int()
    gate_PI, up_PI = F.grouped_mm(hidden_TH[pairs_P // top_k], gate_up_EWH.transpose(1, 2), offs=ends_E).chunk(2, -1)
    rows_PH = F.grouped_mm(F.silu(gate_PI) * up_PI, down_EIH, offs=ends_E)
    weights_P1 = weights_TK.flatten()[pairs_P, None]
    is_here_P1 = (sorted_P < num_experts)[:, None]  # rows of other devices were never written
    weighted_PH = torch.where(is_here_P1, rows_PH.float() * weights_P1, 0.0)
    order_P = torch.empty_like(pairs_P).scatter_(0, pairs_P, torch.arange(len(pairs_P), device=pairs_P.device))
    output_TH: torch.Tensor = weighted_PH[order_P].unflatten(0, ids_TK.shape).sum(1).to(hidden_TH.dtype)
    return output_TH


@cache
def compiled() -> Callable[..., torch.Tensor]:
    """Return the same, compiled at its first call: gather, SwiGLU and the weighted sum become a kernel each."""
    return torch.compile(grouped_experts)
