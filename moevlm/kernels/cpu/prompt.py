"""Attention of a prompt over its own keys and values, in a CPU kernel: torch's takes two to five times as long.

Shapes: B samples, N query heads, G key-value heads, S new tokens, L tokens with what is cached, W head_dim, C columns
of a value: W, and more where modality scores ride along.
"""

import torch

from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.ops import tiers

DTYPES = (torch.float32, torch.bfloat16)
WIDTH_MULTIPLE = 2  # bfloat16 is multiplied in pairs
UNMEASURED = (torch.bfloat16, "tiles")  # torch's own attention uses AMX; which is faster there is not known


def takes(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> bool:
    """Tell whether the kernel computes with these: a prompt on a CPU, float32 or bfloat16, without a gradient.

    Args:
        query: (B, N, S, W).
        key: (B, G, L, W).
        value: (B, G, L, C).
        mask: True where a key is seen, (B, 1, S, L); None: each token sees those up to itself, and L is S.
    """
    (num_samples, num_heads, num_tokens, width), (_, num_groups, length, _) = query.shape, key.shape
    states = (query, key, value)
    return (
        query.is_cpu
        and num_tokens > 1
        and query.dtype in DTYPES
        and all(one.dtype == query.dtype and one.stride(-1) == 1 for one in states)
        and not torch.is_grad_enabled()
        and width % WIDTH_MULTIPLE == 0
        and num_heads % num_groups == 0
        and (length == num_tokens if mask is None else _is_seen(mask, (num_samples, 1, num_tokens, length)))
        and load() is None
        and (query.dtype, tiers()[-1]) != UNMEASURED
    )


def _is_seen(mask: torch.Tensor, shape: tuple[int, ...]) -> bool:
    return mask.dtype == torch.bool and mask.shape == shape and mask.is_contiguous()


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, *, scale: float
) -> torch.Tensor:
    """Return what each head gathers, (B, S, N, C); 0 where a token sees nothing; `takes` has been asked.

    Scores and their softmax are float32; in bfloat16 the shares are rounded before they weigh values, as torch does.
    """
    output: torch.Tensor = torch.ops.moevlm.attend_prompt(query, key, value, mask, scale)
    return output
