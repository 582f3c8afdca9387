"""Router: a token's hidden state -> its top-K experts and their weights.

Shapes: T tokens, H hidden size, E experts, K experts a token, R rows of a routing profile's table.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from moevlm.kernels.cpu import step
from moevlm.kernels.projections import product

if TYPE_CHECKING:
    from moevlm.config import MoEVLMTextConfig

LOGIT_DAMPING = 1 / 64  # share of the router's own logits that a routing profile keeps: too little to order the experts

Steering = tuple[torch.Tensor, torch.Tensor]  # a routing profile's table (R, E), and each token's row of it


class Routing(NamedTuple):
    """What the router returns, in the order of transformers' routers."""

    logits_TE: torch.Tensor
    weights_TK: torch.Tensor
    ids_TK: torch.Tensor


class MoEVLMRouter(nn.Module):
    """Choose the top K of E experts by a softmax in float32 over all of them, as Qwen3-MoE does."""

    bias_table_RE: torch.Tensor | None

    def __init__(self, config: "MoEVLMTextConfig") -> None:
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
            rows_T: Row of the bias table for each token (`moevlm.routing.profiles.bias_rows`), int64; None = no bias.
            is_vision_T: True for image features, bool; None = all text. Read by hard routing alone.

        Returns:
            The logits that the softmax saw, the weights in the logits' dtype, and the expert ids (int64).
        """
        steering = None if rows_T is None or self.bias_table_RE is None else (self.bias_table_RE, rows_T)
        if (routing := self._route_at_once(hidden_TH, steering)) is not None:
            return routing
        logits_TE = product(hidden_TH, self.weight)
        dtype = logits_TE.dtype
        if steering is not None:
            table_RE, rows_T = steering
            logits_TE = torch.add(F.embedding(rows_T, table_RE), logits_TE, alpha=LOGIT_DAMPING)
        if self.num_text_experts is not None:
            logits_TE = close_other_modality(logits_TE, self.num_text_experts, is_vision_T)
        probabilities_TE = F.softmax(logits_TE, dim=-1, dtype=torch.float32)
        weights_TK, ids_TK = torch.topk(probabilities_TE, self.top_k, dim=-1)
        if self.norm_topk_prob:
            weights_TK = weights_TK / weights_TK.sum(dim=-1, keepdim=True)
        return Routing(logits_TE, weights_TK.to(dtype), ids_TK)

    def _route_at_once(self, hidden_TH: torch.Tensor, steering: Steering | None) -> Routing | None:
        """Route by one operator; None: that takes several."""
        table = () if steering is None else steering[:1]
        if not (
            self.num_text_experts is None
            and step.takes(hidden_TH, self.weight, *table)
            and step.takes_weight(self.weight)
            and (steering is None or steering[1].is_contiguous())
        ):
            return None
        norm = self.norm_topk_prob
        return Routing(
            *step.route(hidden_TH, self.weight, steering, damping=LOGIT_DAMPING, top_k=self.top_k, normalises=norm)
        )


def close_other_modality(
    logits_TE: torch.Tensor, num_text_experts: int, is_vision_T: torch.Tensor | None
) -> torch.Tensor:
    """Leave text its first `num_text_experts` experts and image features the others: hard routing."""
    is_vision_expert_E = torch.arange(logits_TE.shape[-1], device=logits_TE.device) >= num_text_experts
    closed = is_vision_expert_E if is_vision_T is None else is_vision_T[:, None] != is_vision_expert_E
    return logits_TE.masked_fill(closed, float("-inf"))
