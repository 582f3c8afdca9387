"""Router: a token's hidden state -> its top-K experts and their weights.

Shapes: T tokens, H hidden size, E experts, K experts a token, R rows of a routing profile's table.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from moevlm.config import MoEVLMTextConfig
from moevlm.projections import product

LOGIT_DAMPING = 1 / 64  # share of the router's own logits that a routing profile keeps: too little to order the experts


class Routing(NamedTuple):
    """What the router returns, in the order of transformers' routers."""

    logits_TE: torch.Tensor
    weights_TK: torch.Tensor
    ids_TK: torch.Tensor


class MoEVLMRouter(nn.Module):
    """Choose the top K of E experts by a softmax in float32 over all of them, as Qwen3-MoE does."""

    bias_table_RE: torch.Tensor | None

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.norm_topk_prob = config.norm_topk_prob
        self.num_text_experts = config.num_text_experts
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.register_buffer("bias_table_RE", None, persistent=False)

    def forward(
        self, hidden_TH: torch.Tensor, rows_T: torch.Tensor | None = None, is_vision_T: torch.Tensor | None = None
    ) -> Routing:
        """Route each token.

        Args:
            hidden_TH: Hidden states.
            rows_T: Row of the bias table for each token (`moevlm.routing_profiles.bias_rows`), int64; None = no bias.
            is_vision_T: True for image features, bool; None = all text. Read by hard routing alone.

        Returns:
            The logits that the softmax saw, the weights in the logits' dtype, and the expert ids (int64).
        """
        logits_TE = product(hidden_TH, self.weight)
        dtype = logits_TE.dtype
        if rows_T is not None and self.bias_table_RE is not None:
            logits_TE = torch.add(F.embedding(rows_T, self.bias_table_RE), logits_TE, alpha=LOGIT_DAMPING)
        if self.num_text_experts is not None:
            logits_TE = close_other_modality(logits_TE, self.num_text_experts, is_vision_T)
        probabilities_TE = F.softmax(logits_TE, dim=-1, dtype=torch.float32)
        weights_TK, ids_TK = torch.topk(probabilities_TE, self.top_k, dim=-1)
        if self.norm_topk_prob:
            weights_TK = weights_TK / weights_TK.sum(dim=-1, keepdim=True)
        return Routing(logits_TE, weights_TK.to(dtype), ids_TK)


def close_other_modality(
    logits_TE: torch.Tensor, num_text_experts: int, is_vision_T: torch.Tensor | None
) -> torch.Tensor:
    """Leave text its first `num_text_experts` experts and image features the others: hard routing.

    Args:
        logits_TE: Router logits.
        num_text_experts: Experts that serve text.
        is_vision_T: True for image features, bool; None = all text.
    """
    is_vision_expert_E = torch.arange(logits_TE.shape[-1], device=logits_TE.device) >= num_text_experts
    closed = is_vision_expert_E if is_vision_T is None else is_vision_T[:, None] != is_vision_expert_E
    return logits_TE.masked_fill(closed, float("-inf"))
