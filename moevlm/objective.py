"""What training minimises: the task's loss plus SMoES' two losses, summed over layers and weighted as configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from transformers.models.llava_next.modeling_llava_next import LlavaNextCausalLMOutputWithPast

from moevlm.binning import ExpertBins
from moevlm.config import MoEVLMTextConfig
from moevlm.losses import inter_bin_divergence, inter_bin_mutual_information, intra_bin_load_balance
from moevlm.modality import as_modalities
from moevlm.observation import LayerRouting

SPECIALIZATION_MEASURES = {"mutual_information": inter_bin_mutual_information, "kl": inter_bin_divergence}


class RoutingLosses(NamedTuple):
    """SMoES' losses, not yet weighted; scalars, float32."""

    specialization: torch.Tensor  # minus mutual information (or divergence): mean over samples, sum over layers
    load_balance: torch.Tensor


@dataclass
class MoEVLMOutput(LlavaNextCausalLMOutputWithPast):
    """LLaVA-NeXT's output, and what routing did.

    Args:
        task_loss: Language loss alone; `loss` is what training minimises.
        routing_losses: SMoES' losses, not yet weighted; None for a dense model or where they were not asked for.
        routing: One `LayerRouting` a layer, where asked for.
    """

    task_loss: torch.Tensor | None = None
    routing_losses: RoutingLosses | None = None
    routing: tuple[LayerRouting, ...] | None = None


def routing_losses(
    record: Sequence[LayerRouting], bins: Sequence[ExpertBins | None], config: MoEVLMTextConfig, mask_BS: torch.Tensor
) -> RoutingLosses:
    """Compute both losses from what every layer did; formulas of SMoES section 3.

    Args:
        record: One entry a layer.
        bins: Each layer's bins; None where all experts are one bin.
        config: Says which losses, in which form.
        mask_BS: True for tokens, False for padding.
    """
    total = RoutingLosses(mask_BS.new_zeros((), dtype=torch.float32), mask_BS.new_zeros((), dtype=torch.float32))
    for routing, layer_bins in zip(record, bins, strict=True):
        gates_BSE = torch.softmax(routing.logits_BSE, dim=-1, dtype=torch.float32)
        one_bin_E = torch.zeros(config.num_experts, dtype=torch.long, device=mask_BS.device)
        bin_of_expert_E = one_bin_E if layer_bins is None else layer_bins.bin_of_expert_E
        measure = SPECIALIZATION_MEASURES.get(config.specialization_loss)
        specialization = total.specialization
        if measure:
            scores_BSM = as_modalities(routing.scores_BS)
            specialization = specialization - measure(scores_BSM, gates_BSE, bin_of_expert_E, mask_BS).mean()
        balance_bins_E = bin_of_expert_E if config.num_balance_bins > 1 else one_bin_E
        balance = intra_bin_load_balance(
            gates_BSE.flatten(0, 1), routing.ids_BSK.flatten(0, 1), balance_bins_E, mask_BS.flatten()
        )
        total = RoutingLosses(specialization, total.load_balance + balance)
    return total


def add_routing_losses(
    output: LlavaNextCausalLMOutputWithPast,
    record: Sequence[LayerRouting],
    layers: nn.ModuleList,
    config: MoEVLMTextConfig,
    mask_BS: torch.Tensor,
) -> MoEVLMOutput:
    """Complete the parent's output with SMoES' losses; `loss` becomes the weighted sum."""
    losses = routing_losses(record, [layer.mlp.bins for layer in layers], config, mask_BS)  # type: ignore[union-attr,misc]
    loss = None
    if output.loss is not None:
        weighted = config.specialization_loss_coef * losses.specialization
        loss = output.loss + weighted + config.load_balance_coef * losses.load_balance
    return MoEVLMOutput(**{**output, "loss": loss}, task_loss=output.loss, routing_losses=losses, routing=tuple(record))
