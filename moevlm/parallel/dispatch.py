"""Dispatch: which rows of hidden states go to which device, and how a row with its choices becomes bytes. Pure.

Shapes: T tokens, H hidden size, K experts a token, E experts, N devices, R rows, C choices a row carries, W bytes of a
row, P (row, expert) pairs that one device computes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

ID_DTYPE = torch.int32  # of expert ids on their way: half of int64, and no layer has 2^31 experts


class Choices(NamedTuple):
    """What is to be sent: choices of experts, each line of them with the hidden state of one token."""

    token_L: torch.Tensor
    ids_LC: torch.Tensor
    weights_LC: torch.Tensor


def one_copy_a_device(ids_TK: torch.Tensor, weights_TK: torch.Tensor) -> Choices:
    """Let a token's hidden state travel once to a device, with all K choices."""
    return Choices(torch.arange(len(ids_TK), device=ids_TK.device), ids_TK, weights_TK)


def one_copy_an_expert(ids_TK: torch.Tensor, weights_TK: torch.Tensor) -> Choices:
    """Let a token's hidden state travel once for each of its experts, with that choice alone."""
    num_tokens, top_k = ids_TK.shape
    token_L = torch.arange(num_tokens, device=ids_TK.device).repeat_interleave(top_k)
    return Choices(token_L, ids_TK.reshape(-1, 1), weights_TK.reshape(-1, 1))


COPIES: dict[str, Callable[[torch.Tensor, torch.Tensor], Choices]] = {
    "device": one_copy_a_device,
    "expert": one_copy_an_expert,
}


class Dispatch(NamedTuple):
    """Rows in the order of their devices: the token of each, its choices, and how many go to each device."""

    token_R: torch.Tensor
    ids_RC: torch.Tensor
    weights_RC: torch.Tensor
    rows_N: torch.Tensor


def plan_dispatch(choices: Choices, device_of_expert_E: torch.Tensor, num_devices: int) -> Dispatch:
    """Send each line of choices to every device that has one of its experts, the own device included.

    Args:
        choices: What one of COPIES makes of a layer's routing.
        device_of_expert_E: Device of each expert, int64.

    >>> choices = one_copy_a_device(torch.tensor([[0, 1], [2, 3]]), torch.ones(2, 2))
    >>> dispatch = plan_dispatch(choices, torch.tensor([0, 1, 1, 1]), num_devices=2)
    >>> dispatch.token_R.tolist(), dispatch.rows_N.tolist()
    ([0, 0, 1], [1, 2])
    """
    is_sent_LN = choices.ids_LC.new_zeros(len(choices.ids_LC), num_devices, dtype=torch.bool)
    is_sent_LN.scatter_(1, device_of_expert_E[choices.ids_LC], True)
    line_R = is_sent_LN.T.nonzero()[:, 1]  # by device, then in the order of the lines
    token_R, ids_RC, weights_RC = (part[line_R] for part in choices)
    return Dispatch(token_R, ids_RC, weights_RC, is_sent_LN.sum(dim=0))


def row_bytes(hidden_size: int, num_choices: int, dtype: torch.dtype) -> int:
    """Return the bytes of one dispatched row: a hidden state, and an id and a weight for each choice.

    >>> row_bytes(2048, 8, torch.bfloat16)
    4144
    """
    return hidden_size * dtype.itemsize + num_choices * (ID_DTYPE.itemsize + dtype.itemsize)


def pack(hidden_RH: torch.Tensor, ids_RC: torch.Tensor, weights_RC: torch.Tensor) -> torch.Tensor:
    """Write rows as bytes, uint8, (R, W): one exchange carries them whole."""
    parts = hidden_RH, ids_RC.to(ID_DTYPE), weights_RC.to(hidden_RH.dtype)
    return torch.cat([part.contiguous().view(torch.uint8) for part in parts], dim=1)


class Rows(NamedTuple):
    """Rows as they arrived; ids are int64."""

    hidden_RH: torch.Tensor
    ids_RC: torch.Tensor
    weights_RC: torch.Tensor


def unpack(bytes_RW: torch.Tensor, num_choices: int, dtype: torch.dtype) -> Rows:
    """Read what `pack` wrote."""
    ids_bytes, weights_bytes = num_choices * ID_DTYPE.itemsize, num_choices * dtype.itemsize
    hidden_bytes = bytes_RW.shape[1] - ids_bytes - weights_bytes
    parts = bytes_RW.split([hidden_bytes, ids_bytes, weights_bytes], dim=1)
    hidden_RH, ids_RC, weights_RC = (
        # a copy of its own starts where its dtype may start
        part.clone(memory_format=torch.contiguous_format).view(dtype)
        for part, dtype in zip(parts, (dtype, ID_DTYPE, dtype), strict=True)
    )
    return Rows(hidden_RH, ids_RC.long(), weights_RC)


class Pairs(NamedTuple):
    """The (row, expert) pairs that one device computes; ids count its own experts."""

    row_P: torch.Tensor
    ids_P1: torch.Tensor
    weights_P1: torch.Tensor


def own_pairs(rows: Rows, local_of_expert_E: torch.Tensor) -> Pairs:
    """Keep those choices of arrived rows that are this device's experts.

    Args:
        local_of_expert_E: Number of each expert among this device's own, int64; -1 for another device's.
    """
    local_RC = local_of_expert_E[rows.ids_RC]
    row_P, choice_P = (local_RC >= 0).nonzero(as_tuple=True)
    return Pairs(row_P, local_RC[row_P, choice_P, None], rows.weights_RC[row_P, choice_P, None])


def sum_by_row(values_PH: torch.Tensor, row_P: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Sum values by the row that each belongs to, in float32 at least, (num_rows, H); a row of none is 0."""
    sums_RH = values_PH.new_zeros(
        num_rows, values_PH.shape[1], dtype=torch.promote_types(values_PH.dtype, torch.float32)
    )
    return sums_RH.index_add_(0, row_P, values_PH.to(sums_RH.dtype)).to(values_PH.dtype)
