"""What stands beside the experts, in CPU kernels: any rows' norms and rotation; few rows' products, attention, routing.

Shapes: R rows (tokens), H inputs, O outputs, B samples, N query heads, G key-value heads, W head_dim, L tokens that the
cache has room for, E experts, K experts a token, P rows of a routing profile's table.
"""

from typing import NamedTuple

import torch

from moevlm.kernels.cpu.build import load

DTYPES = (torch.float32, torch.bfloat16)
INPUT_MULTIPLE, OUTPUT_MULTIPLE = 64, 4  # columns and rows of weights that the kernels take at a time
MOST_ROWS = 8  # beyond, torch's products are as fast, and its threads share the rows (measured: docs/performance.md)


def takes(hidden: torch.Tensor, *tensors: torch.Tensor) -> bool:
    """Tell whether the kernels of few rows compute with these, as `takes_rows` says of any number."""
    return hidden.numel() <= MOST_ROWS * hidden.shape[-1] and takes_rows(hidden, *tensors)


def takes_rows(hidden: torch.Tensor, *tensors: torch.Tensor) -> bool:
    """Tell whether norms and rotation compute with these: on a CPU, float32 or bfloat16, one dtype, no gradient."""
    return (
        hidden.is_cpu
        and hidden.dtype in DTYPES
        and not torch.is_grad_enabled()
        and hidden.numel() > 0
        and hidden.is_contiguous()
        and all(tensor.dtype == hidden.dtype and tensor.is_contiguous() for tensor in tensors)
        and load() is None
    )


def takes_weight(weight_OH: torch.Tensor) -> bool:
    """Tell whether a matrix has sizes that `few_rows` multiplies by."""
    return weight_OH.shape[1] % INPUT_MULTIPLE == 0 and weight_OH.shape[0] % OUTPUT_MULTIPLE == 0


def few_rows(weight_OH: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Multiply hidden states (R, H in all) by a matrix, (R, O); `takes` and `takes_weight` have been asked."""
    output: torch.Tensor = torch.ops.moevlm.few_rows(weight_OH, hidden)
    return output


def rms_norm(hidden: torch.Tensor, scale_H: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Scale each row to a root mean square of 1, then by `scale_H`; `takes_rows` has been asked.

    Zhang and Sennrich 2019, arXiv:1910.07467. Rounded once, at the end.
    """
    output: torch.Tensor = torch.ops.moevlm.rms_norm(hidden, scale_H, epsilon)
    return output


def rotated_heads(
    projected: torch.Tensor,
    scales: tuple[torch.Tensor, torch.Tensor],
    tables: tuple[torch.Tensor, torch.Tensor],
    *,
    epsilon: float,
    num_queries: int,
    num_keys: int,
) -> torch.Tensor:
    """Normalise and rotate the query and key heads of what was projected; `takes_rows` has been asked.

    Args:
        projected: Query, key and value heads beside each other, (R, (N + 2G) * W in all).
        scales: Of queries and of keys, (W,).
        tables: Cosines and sines, the latter with rotate_half's signs, (R, W) in all.
        epsilon: Of the norm.
        num_queries: N.
        num_keys: G.

    Returns:
        (R, N + G, W), rounded once. Rotary position embedding: Su et al. 2021, arXiv:2104.09864.
    """
    output: torch.Tensor = torch.ops.moevlm.rotated_heads(projected, *scales, *tables, epsilon, num_queries, num_keys)
    return output


class Heads(NamedTuple):
    """What turns hidden states into rotated heads."""

    q_weight: torch.Tensor  # (N * W, H)
    k_weight: torch.Tensor  # (G * W, H)
    v_weight: torch.Tensor  # the same
    q_scale_W: torch.Tensor
    k_scale_W: torch.Tensor
    cos: torch.Tensor  # (B, W) in all
    signed_sin: torch.Tensor  # the same, with rotate_half's signs


class Cached(NamedTuple):
    """A layer's cache, and where a new token goes in it."""

    keys_BGLW: torch.Tensor
    values_BGLW: torch.Tensor
    slot: int  # tokens that are in it
    mask: torch.Tensor | None  # True where a token is seen, over these and the new one, (B, 1, 1, slot + 1); None: all


def takes_attention(hidden_B1H: torch.Tensor, heads: Heads, cached: Cached) -> bool:
    """Tell whether `attend` computes with these: one token a sample, as `takes` says, and a padded batch's mask."""
    num_samples, width, mask = len(cached.keys_BGLW), cached.keys_BGLW.shape[-1], cached.mask
    is_seen = (torch.bool, (num_samples, 1, 1, cached.slot + 1))
    return (
        hidden_B1H.shape[:2] == (num_samples, 1)
        and width % INPUT_MULTIPLE == 0  # so the matrices have whole multiples of output rows
        and heads.cos.numel() == num_samples * width
        and takes(hidden_B1H, *heads, cached.keys_BGLW, cached.values_BGLW)
        and takes_weight(heads.k_weight)
        and (mask is None or ((mask.dtype, mask.shape) == is_seen and mask.is_contiguous()))
    )


def attend(hidden_B1H: torch.Tensor, heads: Heads, cached: Cached, *, epsilon: float, scale: float) -> torch.Tensor:
    """Make heads of one new token a sample, write its keys and values, attend; `takes_attention` has been asked.

    Returns:
        What each head gathers, (B, 1, N * W).
    """
    gathered: torch.Tensor = torch.ops.moevlm.attend(hidden_B1H, *heads, epsilon, *cached, scale)
    return gathered[:, None]


def route(
    hidden: torch.Tensor,
    weight_EH: torch.Tensor,
    steering: tuple[torch.Tensor, torch.Tensor] | None,
    *,
    damping: float,
    top_k: int,
    normalises: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Choose each token's experts by a softmax over all; `takes` and `takes_weight` have been asked.

    Args:
        hidden: Hidden states (R, H).
        weight_EH: The router's.
        steering: A table (P, E) and each token's row of it (R,), int64; logits are then row + damping * logits.
        damping: Share of the router's own logits.
        top_k: K.
        normalises: Whether a token's weights sum to 1.

    Returns:
        Logits (R, E), weights (R, K) in their dtype, and ids (R, K) as torch.topk names them.
    """
    table, rows = steering or (None, None)
    routing: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = torch.ops.moevlm.route(
        hidden, weight_EH, table, rows, damping, top_k, normalises
    )
    return routing
