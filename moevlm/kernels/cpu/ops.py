"""SwiGLU experts and the dense twin's SwiGLU through the CPU kernels, and when they are the best choice.

Shapes: T tokens, H hidden size, E experts, I width of one expert, K experts a token.
"""

import torch

from moevlm.kernels.cpu.build import load
from moevlm.once import constant, once

TIERS = ("generic", "dot", "tiles")  # as the kernels number them: any processor, AVX512-BF16, AMX
HIDDEN_MULTIPLE, WIDTH_MULTIPLE = 64, 32  # columns and rows that the kernels take at a time
# Tokens of an expert beyond which torch's matrix products were faster; absent: nowhere by more than `way` asks for
# (docs/tables/performance-ways.csv, of dot; with tiles float32 was last measured on older kernels).
MOST_TOKENS_AN_EXPERT = {(torch.float32, "generic"): 64, (torch.float32, "tiles"): 64}
DTYPES = (torch.float32, torch.bfloat16)
MOST_SUM_BYTES = 1 << 29  # each thread sums its share of the output in float32; beyond this torch's products take less


@once
def tiers() -> tuple[str, ...]:
    """Name what the kernels can use here, the best last; empty where they could not be compiled."""
    if load() is not None:
        return ()
    return TIERS[: torch.ops.moevlm.best_tier() + 1]


def takes(down_EIH: torch.Tensor, hidden_TH: torch.Tensor) -> bool:
    """Tell whether the kernels compute with these tensors; `is_swiglu_inference` has been asked.

    They are for a CPU, float32 or bfloat16, widths of whole multiples, and no more tokens than they may sum.
    """
    _, width, hidden_size = down_EIH.shape
    return (
        hidden_TH.device.type == "cpu"
        and hidden_TH.dtype in DTYPES
        and hidden_size % HIDDEN_MULTIPLE == 0
        and width % WIDTH_MULTIPLE == 0
        and num_threads() * hidden_TH.numel() * torch.float32.itemsize <= MOST_SUM_BYTES
        and load() is None
    )


@constant  # no number of threads enters a graph
def num_threads() -> int:
    """Return torch's number of threads."""
    return torch.get_num_threads()


def is_best(dtype: torch.dtype, tokens_an_expert: float) -> bool:
    """Tell whether the kernels are usually faster than torch's products: what `way` holds until it measures.

    Args:
        dtype: Of weights and hidden states.
        tokens_an_expert: Mean over experts; all tokens for the dense twin, whose blocks see each of them.
    """
    return tokens_an_expert <= MOST_TOKENS_AN_EXPERT.get((dtype, tiers()[-1]), tokens_an_expert)


def swiglu_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    *,
    tier: str | None = None,
) -> torch.Tensor:
    """Sum the chosen experts of each token in float32; `takes` has been asked; as `moevlm.kernels.fast.fast_experts`.

    Args:
        tier: One of `tiers()`; None: the best.

    Raises:
        RuntimeError: An expert id is out of range.
    """
    number = _number(tier)  # loads the kernels
    inputs = (hidden_TH.contiguous(), ids_TK.contiguous(), weights_TK.float().contiguous())
    output: torch.Tensor = torch.ops.moevlm.swiglu_experts(gate_up_EWH, down_EIH, *inputs, number)
    return output


def swiglu_dense(
    gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor, *, tier: str | None = None
) -> torch.Tensor:
    """Sum all blocks of an MoE's storage with weight 1, the dense twin's feed-forward; `takes` has been asked."""
    number = _number(tier)  # loads the kernels
    output: torch.Tensor = torch.ops.moevlm.swiglu_dense(gate_up_EWH, down_EIH, hidden_TH.contiguous(), number)
    return output


def _number(tier: str | None) -> int:
    known = tiers()
    if tier is not None and tier not in known:
        raise ValueError(f"tier must be one of {', '.join(known)} on this machine, got {tier!r}; choose one of them")
    return len(known) - 1 if tier is None else known.index(tier)
