"""Expert bins: experts sorted by the modality they serve, in runs of equal size; a bin is also one device's experts.

Shapes: M modalities in the order of MODALITIES, E experts, N bins, T tokens, R rows of a routing profile's table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from moevlm.routing.router import MoEVLMRouter
from moevlm.smoes.modality import MODALITIES, TEXT, UNDECIDED

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EXPERT_DIM = {  # end of a tensor's name in an MoE layer -> the dimension that counts experts
    "gate.weight": 0,
    "gate.bias_table_RE": 1,
    "experts.gate_up_proj": 0,
    "experts.down": 0,
    "load_ME": 1,
    "bin_of_expert_E": 0,
}


def text_bias(load_ME: torch.Tensor) -> torch.Tensor:
    """Return the text's share of each expert's load: 1 = serves text alone, 0 = vision alone.

    Args:
        load_ME: Tokens routed to each expert, by modality, in tokens; at least 0.

    Returns:
        (E,), 0.5 for an expert never used. SMoES (arXiv 2604.23996), expert binning.

    >>> text_bias(torch.tensor([[3.0, 0.0], [1.0, 0.0]]))
    tensor([0.7500, 0.5000])
    """
    total_E = load_ME.sum(dim=0)
    is_used_E = total_E > 0
    return torch.where(is_used_E, load_ME[TEXT] / torch.where(is_used_E, total_E, 1.0), UNDECIDED)


def assign_bins(bias_E: torch.Tensor, num_bins: int) -> torch.Tensor:
    """Sort experts by text bias and cut them into bins of equal size, bin 0 the most vision-leaning.

    Args:
        bias_E: Text bias; experts of equal bias keep their order.

    Returns:
        Bin of each expert, (E,), int64. SMoES (arXiv 2604.23996), expert binning.

    Raises:
        ValueError: The number of bins does not divide the number of experts.

    >>> assign_bins(torch.tensor([0.9, 0.1, 0.5, 0.2]), num_bins=2)
    tensor([1, 0, 1, 0])
    """
    num_experts = len(bias_E)
    if num_bins < 1 or num_experts % num_bins:
        raise ValueError(f"num_bins must divide num_experts={num_experts}, got {num_bins}; choose a divisor")
    order_E = bias_E.argsort(stable=True)
    bin_of_rank_E = torch.arange(num_experts, device=bias_E.device) // (num_experts // num_bins)
    return torch.empty_like(order_E).scatter_(0, order_E, bin_of_rank_E)


def bin_order(bin_of_expert_E: torch.Tensor) -> torch.Tensor:
    """Return the experts bin by bin, in their own order within a bin: a layout for `permute_experts`.

    >>> bin_order(torch.tensor([1, 0, 1, 0]))
    tensor([1, 3, 0, 2])
    """
    return bin_of_expert_E.argsort(stable=True)


class ExpertBins(nn.Module):
    """A layer's bins and the running load that they are sorted by, both saved with the model.

    The load is kept in float32: after a cast of the whole model the next update restores that precision, since a step
    of 1 - momentum vanishes in bfloat16.

    Args:
        num_bins: N, a divisor of E.
        momentum: Decay of the running load, in [0, 1).
        fixed: Whether bins stay in the experts' index order (the ablation); the load is followed all the same.

    Raises:
        ValueError: The number of bins does not divide the number of experts.
    """

    load_ME: torch.Tensor
    bin_of_expert_E: torch.Tensor

    def __init__(self, num_experts: int, num_bins: int, *, momentum: float, fixed: bool) -> None:
        super().__init__()
        self.num_bins = num_bins
        self.momentum = momentum
        self.fixed = fixed
        self.register_buffer("load_ME", torch.zeros(len(MODALITIES), num_experts, dtype=torch.float32))
        self.register_buffer("bin_of_expert_E", self._assigned())

    def reset(self) -> None:
        """Forget the load, in place; with no load the bins are in index order."""
        self.load_ME.zero_()
        self.bin_of_expert_E.copy_(self._assigned())

    @torch.no_grad()
    def update(self, load_ME: torch.Tensor) -> None:
        """Move the running load towards a batch's and, unless fixed, sort the experts into bins anew.

        Args:
            load_ME: Tokens of the batch routed to each expert, by modality (`moevlm.smoes.losses.modality_load`).
        """
        self.load_ME = self.load_ME.float()  # the same tensor, unless the model was cast
        self.load_ME.lerp_(load_ME.float(), 1.0 - self.momentum)
        if not self.fixed:
            self.bin_of_expert_E.copy_(self._assigned())

    def _assigned(self) -> torch.Tensor:
        return assign_bins(text_bias(self.load_ME), self.num_bins)


@torch.no_grad()
def permute_experts(model: "PreTrainedModel", order_by_layer: Sequence[torch.Tensor]) -> None:
    """Lay the experts of every MoE layer out in a given order, in place; the model's outputs stay what they were.

    Place a trained model's bins on devices with it, in contiguous runs: `bin_order` of each layer's bins, then
    `save_pretrained`. An optimizer's state does not follow.

    Args:
        model: A model of this package with experts.
        order_by_layer: For each MoE layer the present index of the expert that comes first, second, ...; int64, (E,).

    Raises:
        ValueError: The model routes hard, the number of orders is not that of the MoE layers, or one is not a
            permutation of the experts.
    """
    num_text_experts = model.config.get_text_config().num_text_experts
    if num_text_experts is not None:
        raise ValueError(
            "num_text_experts must be None to permute experts (they would cross the border of hard routing), "
            f"got {num_text_experts}; leave this model's experts as they are"
        )
    routers = {name: module for name, module in model.named_modules() if isinstance(module, MoEVLMRouter)}
    _check_orders(order_by_layer, [len(router.weight) for router in routers.values()])
    for name, order_E in zip(routers, order_by_layer, strict=True):
        for tensor in _tensors_by_expert(model.get_submodule(name.removesuffix(".mlp.gate"))):
            tensor.copy_(tensor[order_E.to(tensor.device)])


def _check_orders(order_by_layer: Sequence[torch.Tensor], num_experts_by_layer: list[int]) -> None:
    if len(order_by_layer) != len(num_experts_by_layer):
        raise ValueError(
            f"orders must be as many as MoE layers, {len(num_experts_by_layer)}, got {len(order_by_layer)}; "
            "give one a layer"
        )
    for layer, (order_E, num_experts) in enumerate(zip(order_by_layer, num_experts_by_layer, strict=True)):
        if sorted(order_E.tolist()) != list(range(num_experts)):
            raise ValueError(
                f"an order must hold each of the {num_experts} experts once, got {order_E.tolist()} for MoE layer "
                f"{layer}; make it with bin_order"
            )


def _tensors_by_expert(layer: nn.Module) -> list[torch.Tensor]:
    """View every tensor of a layer that has a dimension of experts, with that dimension first."""
    return [
        tensor.movedim(dim, 0)
        for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]
        for ending, dim in EXPERT_DIM.items()
        if name.endswith(ending)
    ]
