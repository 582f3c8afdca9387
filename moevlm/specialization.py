"""What routing did: which experts the tokens of a forward pass chose, and how many distinct ones that were.

Shapes: T tokens, K experts a token.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from moevlm.router import MoEVLMRouter, Routing


@contextlib.contextmanager
def recorded_routing(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collect the expert ids (T, K) that every router of `model` returns inside the block, in the order of the calls.

    A dense model has no router and gives an empty list. For use off the clock: hooks cost time.
    """
    ids: list[torch.Tensor] = []

    def keep(_module: nn.Module, _arguments: object, routing: Routing) -> None:
        ids.append(routing.ids_TK)

    handles = [module.register_forward_hook(keep) for module in model.modules() if isinstance(module, MoEVLMRouter)]
    try:
        yield ids
    finally:
        for handle in handles:
            handle.remove()


def distinct_experts(ids_TK: torch.Tensor) -> int:
    """Count the experts that at least one token chose: those whose weights a layer must read.

    Args:
        ids_TK: expert ids of one layer in one step, int64.

    >>> distinct_experts(torch.tensor([[0, 3], [3, 5]]))
    3
    """
    return int(ids_TK.unique().numel())
