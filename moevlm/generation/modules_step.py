"""A decode step through the model's modules, with whatever hooks, adapters and records there are.

Shapes: B samples, S cached tokens and room, V vocabulary.
"""

import torch
from transformers import Cache

from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.observation import LayerRouting


def logits_by_modules(
    model: MoEVLMForConditionalGeneration,
    cache: Cache,
    mask_BS: torch.Tensor | None,
    token_B1: torch.Tensor,
    position_B1: torch.Tensor,
    routing_record: list[LayerRouting] | None = None,
) -> torch.Tensor:
    """Feed a token a sample, which the cache takes; return the logits (B, V).

    Args:
        mask_BS: True for a token, False for padding, over at least what is cached and the new token; None: no padding.
        position_B1: Position of the token.
        routing_record: Takes one entry a layer.
    """
    length = cache.get_seq_length() + 1
    hidden_B1H = model.model.language_model(
        input_ids=token_B1,
        attention_mask=None if mask_BS is None else mask_BS[:, :length],
        position_ids=position_B1,
        cache=cache,
        routing_record=routing_record,
    ).last_hidden_state
    logits_BV: torch.Tensor = model.lm_head(hidden_B1H[:, -1])
    return logits_BV
