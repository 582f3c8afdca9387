"""Attention that can carry modality scores along with its values, in one fused call and through the KV cache.

Scores ride in columns appended to the values: attention then returns probabilities @ scores beside probabilities @
values, and the probabilities are never materialised. Queries and keys get columns of zeros, because fused kernels want
one width for all three. Without scores this is Qwen3's attention, untouched.

Shapes: B samples, S positions, L positions with what is cached, H hidden size, N heads, G key-value heads, W head_dim.
"""

# transformers' methods carry no annotations.
# mypy: allow-untyped-calls

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Cache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen3_moe.modeling_qwen3_moe import (
    Qwen3MoeAttention,
    Qwen3MoeRMSNorm,
    eager_attention_forward,
)

from moevlm.config import MoEVLMTextConfig
from moevlm.kernels.cpu import prompt, step
from moevlm.kernels.projections import Projection, is_plain, product, side_by_side
from moevlm.model.cache import PreallocatedLayer

SCORE_COLUMNS = 8  # the score and zeros: fused CUDA kernels take head widths in multiples of 8
ONE_QUERY = ("sdpa", "eager")  # attention whose mask has a row for each query, or none
MOST_LANES = 16  # floats of a CPU's widest vector

RotaryTables = tuple[torch.Tensor, torch.Tensor]  # as `rotary_tables` lays them out


class MoEVLMAttention(Qwen3MoeAttention):
    """Qwen3's attention, which moves modality scores where they are given.

    Raises:
        ValueError: The configuration was given a window.
    """

    def __init__(self, config: MoEVLMTextConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)  # type: ignore[arg-type]  # reads shared fields only
        if self.sliding_window is not None:
            raise ValueError(
                f"sliding_window must be None, as every token is seen, got {self.sliding_window}; unset it"
            )
        self.o_proj = Projection.adopt(self.o_proj)

    @property
    def projections(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """Return the layers that read the normalised residual stream: queries, keys, values."""
        return self.q_proj, self.k_proj, self.v_proj

    def forward(  # one result more than the parent's
        self,
        hidden_states: torch.Tensor,
        position_embeddings: RotaryTables,
        attention_mask: torch.Tensor | None,
        cache: Cache | None = None,
        scores_BS: torch.Tensor | None = None,
        last_only: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Attend.

        Args:
            hidden_states: Normalised residual stream (B, S, H).
            position_embeddings: Cosines and sines of the positions.
            attention_mask: As the configured attention takes it.
            cache: Cache; with scores, it must have been filled with scores from the start.
            scores_BS: Shares of text, float32; None = carry none, at no cost.
            last_only: Whether the last position alone is wanted; keys and values of all enter the cache. Not with
                scores.
            kwargs: Options of transformers' attention functions.

        Returns:
            Output (B, S, H), with `last_only` (B, 1, H); probabilities where the attention materialises them; with
            `scores_BS` the shares of text that each token gathered, averaged over the heads, (B, S), float32, without
            gradient.
        """
        if scores_BS is None and cache is not None:
            attended_B1H = self._attend_at_once(hidden_states, position_embeddings, attention_mask, cache)
            if attended_B1H is not None:
                return self.o_proj(attended_B1H), None, None
        query, key, value = self._project(hidden_states, position_embeddings)
        if scores_BS is not None:
            query, key, value = (F.pad(states, (0, SCORE_COLUMNS)) for states in (query, key, value))
            value[..., self.head_dim] = 1.0 - scores_BS[:, None].to(value.dtype)  # vision: 0 stays 0 in any dtype
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        # without a mask attention is causal from the first slot on, and one query alone would see a cache's empty ones
        is_whole = attention_mask is not None or key.shape[2] == query.shape[2]
        if last_only and is_whole and self.config._attn_implementation in ONE_QUERY:
            query, attention_mask = query[:, :, -1:], None if attention_mask is None else attention_mask[:, :, -1:]
        attended_BSNW, probabilities = self._attend(query, key, value, attention_mask, **kwargs)
        if last_only:
            attended_BSNW = attended_BSNW[:, -1:]
        if scores_BS is None:
            return self.o_proj(attended_BSNW.flatten(-2)), probabilities, None
        gathered_BS = 1.0 - attended_BSNW[..., self.head_dim].detach().float().mean(dim=-1)
        return self.o_proj(attended_BSNW[..., : self.head_dim].flatten(-2)), probabilities, gathered_BS

    def _attend_at_once(
        self, hidden_BSH: torch.Tensor, rotary: RotaryTables, mask: torch.Tensor | None, cache: Cache
    ) -> torch.Tensor | None:
        """Return what one new token a sample gathers, (B, 1, N * W), or None: that takes more than one operator."""
        memory = cache.layers[self.layer_idx] if self.layer_idx < len(cache.layers) else None
        if not isinstance(memory, PreallocatedLayer) or self.config._attn_implementation != "sdpa" or self.training:
            return None
        if not all(is_plain(layer) and layer.bias is None for layer in self.projections) or not self._has_plain_norms:
            return None
        q_proj, k_proj, v_proj = self.projections
        scales = (self.q_norm.weight, self.k_norm.weight)
        heads = step.Heads(q_proj.weight, k_proj.weight, v_proj.weight, *scales, *rotary)
        cached = step.Cached(*memory.memory, memory.get_seq_length(), mask)
        if not step.takes_attention(hidden_BSH, heads, cached):
            return None
        attended_B1H = step.attend(hidden_BSH, heads, cached, epsilon=self.q_norm.variance_epsilon, scale=self.scaling)
        memory.show(cached.slot + 1)
        return attended_B1H

    def _project(
        self, hidden_BSH: torch.Tensor, rotary: RotaryTables
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries (B, N, S, W), keys and values (B, G, S, W); queries and keys share each operation."""
        layers = self.projections
        is_traced = torch.is_grad_enabled() or torch.compiler.is_compiling()  # a graph knows no addresses
        weight = None if is_traced else side_by_side(layers)
        if weight is None:
            projected = torch.cat([layer(hidden_BSH) for layer in layers], dim=-1)
        else:
            biases: list[torch.Tensor] = [layer.bias for layer in layers if layer.bias is not None]
            projected = product(hidden_BSH, weight, torch.cat(biases) if biases else None)
        num_keys = self.config.num_key_value_heads
        heads = projected.unflatten(-1, (-1, self.head_dim))
        num_queries = heads.shape[2] - 2 * num_keys
        query, key = self._rotated(projected, heads, rotary, (num_queries, num_keys))
        return query, key, heads[:, :, num_queries + num_keys :].transpose(1, 2)

    def _rotated(
        self, projected: torch.Tensor, heads: torch.Tensor, rotary: RotaryTables, counts: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return normalised and rotated queries (B, N, S, W) and keys (B, G, S, W)."""
        scales, epsilon = (self.q_norm.weight, self.k_norm.weight), self.q_norm.variance_epsilon
        num_queries, num_keys = counts
        if not self._has_plain_norms:
            query, key = heads[:, :, :num_queries], heads[:, :, num_queries : num_queries + num_keys]
            rotated = _rotate(torch.cat([self.q_norm(query), self.k_norm(key)], dim=2), *rotary)
        elif step.takes_rows(projected, *rotary, *scales) and rotary[0].shape[:2] == heads.shape[:2]:
            rotated = step.rotated_heads(
                projected, scales, rotary, epsilon=epsilon, num_queries=num_queries, num_keys=num_keys
            ).view(*heads.shape[:2], -1, self.head_dim)
        else:
            scale = torch.cat([scale.expand(count, -1) for scale, count in zip(scales, counts, strict=True)])
            normal = F.rms_norm(heads[:, :, : num_queries + num_keys], (self.head_dim,), eps=epsilon)
            rotated = _rotate(normal * scale, *rotary)
        query, key = rotated.transpose(1, 2).split(counts, dim=1)
        return query, key

    @property
    def _has_plain_norms(self) -> bool:
        return all(is_plain(norm, Qwen3MoeRMSNorm) for norm in (self.q_norm, self.k_norm))

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return what each head gathers (B, S, N, W), and probabilities where the attention materialises them."""
        name = self.config._attn_implementation
        if name == "sdpa" and not self.training and prompt.takes(query, key, value, attention_mask):
            return prompt.attend(query, key, value, attention_mask, scale=self.scaling), None
        if name == "sdpa" and attention_mask is None:
            attention_mask = mask_of_few(query, key)
        if name == "sdpa" and query.shape[2] == 1 and not self.training:
            return attend_one(query, key, value, attention_mask, scale=self.scaling)[:, None], None
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(name, eager_attention_forward)
        dropout = self.attention_dropout if self.training else 0.0
        return cast(
            tuple[torch.Tensor, torch.Tensor | None],
            attend(self, query, key, value, attention_mask, scaling=self.scaling, dropout=dropout, **kwargs),
        )


def mask_of_few(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
    """Write the causal mask out where a CPU's SDPA would take scores that are all NaN for none, and return zeros.

    That is where fewer keys than a vector's lanes come without a mask; with one, NaN stays, and so does all else.

    Args:
        query: (B, N, S, W).
        key: (B, G, L, W).

    Returns:
        True where a key is seen, (1, 1, S, L); None: no mask is needed.
    """
    num_queries, num_keys = query.shape[2], key.shape[2]
    if key.device.type != "cpu" or num_keys >= MOST_LANES:
        return None
    return torch.ones(1, 1, num_queries, num_keys, dtype=torch.bool).tril(num_keys - num_queries)


def attend_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, *, scale: float
) -> torch.Tensor:
    """Attend from one token a sample, each cached key and value read once for all query heads that share it.

    Args:
        query: (B, N, 1, W).
        key: (B, G, L, W).
        value: (B, G, L, W).
        mask: True where a cached token is seen, (B, 1, 1, L), or to be added; None = all are seen.

    Returns:
        (B, N, W).
    """
    if mask is None and query.dtype in (torch.bfloat16, torch.float16):
        attended = F.scaled_dot_product_attention(query, key, value, scale=scale, enable_gqa=True)
    else:  # query heads as rows: half as long in float32, and what takes a mask without copies of keys and values
        rows = query.view(len(query), key.shape[1], -1, query.shape[-1])
        attended = F.scaled_dot_product_attention(rows, key, value, attn_mask=mask, scale=scale)
    return attended.reshape(len(query), -1, query.shape[-1])


def rotary_tables(cos_BSW: torch.Tensor, sin_BSW: torch.Tensor) -> RotaryTables:
    """Lay transformers' tables out for heads side by side, once for all layers; the sines take rotate_half's signs.

    Returns:
        Both (B, S, 1, W).
    """
    first, second = sin_BSW.chunk(2, dim=-1)
    return cos_BSW[:, :, None], torch.cat([-first, second], dim=-1)[:, :, None]


def _rotate(heads: torch.Tensor, cos: torch.Tensor, signed_sin: torch.Tensor) -> torch.Tensor:
    return torch.addcmul(heads * cos, heads.roll(heads.shape[-1] // 2, dims=-1), signed_sin)


def check_cache(cache: Cache | None, head_dim: int, *, is_scored: bool) -> None:
    """Check that a cache holds scores beside its values if this call carries them, and none if it does not.

    Args:
        cache: To be extended; None or an empty one fits any call.

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
