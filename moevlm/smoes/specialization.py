"""What routing did: which experts the tokens chose, how evenly, and how far the modalities went apart.

Shapes: T tokens, K experts a token, E experts, M modalities in the order of MODALITIES, L MoE layers.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from moevlm.routing.router import MoEVLMRouter, Routing
from moevlm.smoes.modality import MODALITIES


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

    `moevlm.costs.expected_distinct_experts` is its mean under uniform routing.

    >>> distinct_experts(torch.tensor([[0, 3], [3, 5]]))
    3
    """
    return int(ids_TK.unique().numel())


def expert_load(ids_TK: torch.Tensor, num_experts: int) -> torch.Tensor:
    """Count the tokens of each expert.

    Returns:
        int64, (E,).

    >>> expert_load(torch.tensor([[0, 3], [3, 1]]), 4).tolist()
    [1, 1, 0, 2]
    """
    return ids_TK.flatten().bincount(minlength=num_experts)


def max_over_mean_load(load: torch.Tensor) -> float:
    """Return the largest load over the mean one: 1 where all are equal, E (or N) where one serves all tokens.

    Args:
        load: Tokens per expert (E,) or per device (N,), any number type.

    Raises:
        ValueError: No token was counted.

    >>> max_over_mean_load(torch.tensor([1, 1, 0, 2]))
    2.0
    """
    mean = float(load.double().mean())
    if mean <= 0:
        raise ValueError(f"load must count at least 1 token, got a mean of {mean}; route some tokens first")
    return float(load.max()) / mean


def layer_specialization(load_LME: torch.Tensor) -> torch.Tensor:
    """Return each layer's Modality Specialization Index; see `modality_specialization_index`.

    Args:
        load_LME: Tokens of each modality at each expert, from hard labels or soft scores, any number type.

    Returns:
        float64, (L,), in [0, 1].

    Raises:
        ValueError: The loads are not of two modalities, or a layer has no token of one of them.
    """
    if load_LME.dim() != 3 or load_LME.shape[1] != len(MODALITIES):
        raise ValueError(
            f"load must have the shape (L, {len(MODALITIES)}, E), got {tuple(load_LME.shape)}; stack it so"
        )
    total_LM = load_LME.double().sum(dim=-1)
    if not bool((total_LM > 0).all()):
        layer, modality = (total_LM <= 0).nonzero()[0].tolist()
        raise ValueError(
            f"load must have tokens of both modalities in every layer, got none of {MODALITIES[modality]} in layer "
            f"{layer}; measure a batch that has both"
        )
    text_LE, vision_LE = (load_LME.double() / total_LM[..., None]).unbind(dim=1)
    both_LE = text_LE + vision_LE
    # 2 |text / (text + vision) - 1/2| = |text - vision| / (text + vision); 0 for an expert without tokens
    return ((text_LE - vision_LE).abs() / both_LE.where(both_LE > 0, 1.0)).mean(dim=-1)


def modality_specialization_index(load_LME: torch.Tensor) -> float:
    """Return the Modality Specialization Index: 0 where the modalities use all experts alike, 1 where they share none.

    The mean over layers and experts of 2 |share - 1/2|, share = c_text / (c_text + c_vision), c the part of a
    modality's tokens that goes to the expert; an expert without tokens counts as 0 (SMoES, arXiv:2604.23996).
    Arguments and errors as in `layer_specialization`.

    >>> modality_specialization_index(torch.tensor([[[3, 1, 0], [1, 3, 0]]]))
    0.3333333333333333
    """
    return float(layer_specialization(load_LME).mean())
