"""Attention that can carry modality scores along with its values, in one fused call and through the KV cache.

Scores ride in columns appended to the values: attention then returns probabilities @ scores beside probabilities @
values, and the probabilities are never materialised. Queries and keys get columns of zeros, because fused kernels want
one width for all three. Without scores this is Qwen3's attention, untouched.

Shapes: B samples, S positions, H hidden size, N heads, G key-value heads, W head_dim.
"""

# transformers' methods carry no annotations.
# mypy: allow-untyped-calls

from typing import Any

import torch
import torch.nn.functional as F
from transformers import Cache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen3_moe.modeling_qwen3_moe import (
    Qwen3MoeAttention,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

SCORE_COLUMNS = 8  # the score and zeros: fused CUDA kernels take head widths in multiples of 8

RotaryTables = tuple[torch.Tensor, torch.Tensor]


class MoEVLMAttention(Qwen3MoeAttention):
    """Qwen3's attention, which moves modality scores where they are given."""

    def forward(  # type: ignore[override]  # one result more than the parent's
        self,
        hidden_states: torch.Tensor,
        position_embeddings: RotaryTables,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None = None,
        scores_BS: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Attend.

        Args:
            hidden_states: Normalised residual stream (B, S, H).
            position_embeddings: Cosines and sines of the positions.
            attention_mask: As the configured attention takes it.
            past_key_values: Cache; with scores, it must have been filled with scores from the start.
            scores_BS: Shares of text, float32; None = carry none, at no cost.
            kwargs: Options of transformers' attention functions.

        Returns:
            Output (B, S, H); probabilities where the attention materialises them; with `scores_BS` the shares of text
            that each token gathered, averaged over the heads, (B, S), float32, without gradient.
        """
        if scores_BS is None:
            return *super().forward(hidden_states, position_embeddings, attention_mask, past_key_values, **kwargs), None
        query, key, value = self._project(hidden_states, position_embeddings)
        query, key, value = (F.pad(states, (0, SCORE_COLUMNS)) for states in (query, key, value))
        value[..., self.head_dim] = 1.0 - scores_BS[:, None].to(value.dtype)  # vision: 0 stays 0 in any dtype
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        options = {"dropout": self.attention_dropout if self.training else 0.0, "sliding_window": self.sliding_window}
        attended_BSNW, probabilities = attend(
            self, query, key, value, attention_mask, scaling=self.scaling, **options, **kwargs
        )
        gathered_BS = 1.0 - attended_BSNW[..., self.head_dim].detach().float().mean(dim=-1)
        return self.o_proj(attended_BSNW[..., : self.head_dim].flatten(-2)), probabilities, gathered_BS

    def _project(
        self, hidden_BSH: torch.Tensor, rotary: RotaryTables
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        query, key, value = (
            projection(hidden_BSH).unflatten(-1, (-1, self.head_dim))
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = self.q_norm(query).transpose(1, 2), self.k_norm(key).transpose(1, 2)
        return *apply_rotary_pos_emb(query, key, *rotary), value.transpose(1, 2)


def check_cache(cache: Cache | None, head_dim: int, *, is_scored: bool) -> None:
    """Check that a cache holds scores beside its values if this call carries them, and none if it does not.

    Args:
        cache: To be extended; None or an empty one fits any call.
        head_dim: W.
        is_scored: Whether this call carries scores.

    Raises:
        ValueError: The cache was begun the other way.
    """
    keys = getattr(cache.layers[0], "keys", None) if cache is not None and cache.layers else None
    width = head_dim + SCORE_COLUMNS if is_scored else head_dim
    if keys is not None and keys.numel() and keys.shape[-1] != width:
        begun, now = ("without", "with") if is_scored else ("with", "without")
        raise ValueError(
            f"a cache must carry modality scores from its first token on or never, got one begun {begun} in a call "
            f"{now} them; record routing for the prompt and for every step, or for none"
        )
