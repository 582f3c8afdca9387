"""What surrounds attention and experts in a decode step, in CPU kernels: products of few rows, norms, rotation.

Shapes: R rows (tokens), H inputs, O outputs, N query heads, G key-value heads, W head_dim.
"""

import torch

from moevlm.kernels.cpu.build import load

DTYPES = (torch.float32, torch.bfloat16)
INPUT_MULTIPLE, OUTPUT_MULTIPLE = 64, 4  # columns and rows of weights that the kernels take at a time
MOST_ROWS = 8  # beyond, torch's products are as fast, and its threads share the rows (measured: docs/performance.md)


def takes(hidden: torch.Tensor, *tensors: torch.Tensor) -> bool:
    """Tell whether the kernels compute with these: few rows on a CPU, float32 or bfloat16, one dtype, no gradient.

    Args:
        hidden: Hidden states; the last dimension is no row.
        tensors: What they meet, contiguous or not.
    """
    return (
        hidden.device.type == "cpu"
        and hidden.dtype in DTYPES
        and not torch.is_grad_enabled()
        and 0 < hidden.numel() <= MOST_ROWS * hidden.shape[-1]
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
    """Scale each row to a root mean square of 1, then by `scale_H`; `takes` has been asked.

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
    """Normalise and rotate the query and key heads of what was projected; `takes` has been asked.

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
