"""What training minimises: the task's loss plus SMoES' two losses, summed over layers and weighted as configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers.models.llava_next.modeling_llava_next import LlavaNextCausalLMOutputWithPast

from moevlm.config import MoEVLMTextConfig
from moevlm.routing.observation import LayerRouting
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.losses import inter_bin_divergence, inter_bin_mutual_information, intra_bin_load_balance
from moevlm.smoes.modality import as_modalities

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
    record: Sequence[LayerRouting], bins: Sequence[ExpertBins | None], config: MoEVLMTextConfig
) -> RoutingLosses:
    """Compute both losses from what every layer did; formulas of SMoES section 3.

    A sample whose unmasked tokens are all of one modality contributes 0 to the specialization loss, soft as its scores
    may be.

    Args:
        record: One entry a layer, of one call.
        bins: Each layer's bins; None where all experts are one bin.
    """
    specialization = load_balance = record[0].scores_BS.new_zeros(())
    measure = SPECIALIZATION_MEASURES.get(config.specialization_loss)
    for routing, layer_bins in zip(record, bins, strict=True):
        gates_BSE = torch.softmax(routing.logits_BSE, dim=-1, dtype=torch.float32)
        one_bin_E = routing.ids_BSK.new_zeros(config.num_experts)
        bin_of_expert_E = one_bin_E if layer_bins is None else layer_bins.bin_of_expert_E
        is_vision_BS, is_token_BS = routing.tokens
        if measure:
            found_B = measure(as_modalities(routing.scores_BS), gates_BSE, bin_of_expert_E, is_token_BS)
            has_both_B = (is_token_BS & is_vision_BS).any(dim=1) & (is_token_BS & ~is_vision_BS).any(dim=1)
            specialization = specialization - torch.where(has_both_B, found_B, 0.0).mean()
        load_balance = load_balance + intra_bin_load_balance(
            gates_BSE.flatten(0, 1),
            routing.ids_BSK.flatten(0, 1),
            bin_of_expert_E if config.num_balance_bins > 1 else one_bin_E,
            is_token_BS.flatten(),
        )
    return RoutingLosses(specialization, load_balance)


def with_routing(
    output: LlavaNextCausalLMOutputWithPast,
    record: Sequence[LayerRouting],
    losses: RoutingLosses,
    config: MoEVLMTextConfig,
    *,
    is_training: bool,
) -> MoEVLMOutput:
    """Complete the parent's output; while training, `loss` becomes the weighted sum."""
    loss: torch.Tensor | None = output.loss
    if is_training and loss is not None:
        weighted = config.specialization_loss_coef * losses.specialization
        loss = loss + weighted + config.load_balance_coef * losses.load_balance
    return MoEVLMOutput(**{**output, "loss": loss}, task_loss=output.loss, routing_losses=losses, routing=tuple(record))
