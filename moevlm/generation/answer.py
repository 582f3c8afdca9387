"""Answer: prefill and decode steps together, a batch of prompts to the tokens of its answers.

Shapes: B samples, S prompt positions incl. padding.
"""

from collections.abc import Mapping

import torch

from moevlm.generation.decode import decode_steps
from moevlm.generation.prefill import prefill
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.observation import LayerRouting


def answer(
    model: MoEVLMForConditionalGeneration,
    inputs: Mapping[str, torch.Tensor],
    *,
    max_new_tokens: int,
    routing_record: list[LayerRouting] | None = None,
) -> torch.Tensor:
    """Answer a batch greedily; no token ends an answer.

    Args:
        inputs: As `prefill` takes them: input_ids (B, S), and attention_mask, pixel_values, image_sizes where given.
        max_new_tokens: Tokens of every answer, at least 1.
        routing_record: Takes an entry a layer: how the prompt was routed.

    Returns:
        Tokens, (B, max_new_tokens), int64.

    Raises:
        ValueError: `prefill` refuses the inputs or the number of tokens.
    """
    state = prefill(model, inputs, max_new_tokens=max_new_tokens, routing_record=routing_record)
    if max_new_tokens == 1:
        return state.next_token_B1
    last = decode_steps(model, state, num_steps=max_new_tokens - 1)
    return torch.cat([state.next_token_B1, last.tokens_BN], dim=1)
