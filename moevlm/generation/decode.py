"""Decode: feed the chosen token and choose the next one, in a cache that grows; any device, attention and backend."""

from dataclasses import replace

import torch

from moevlm.generation.fused import fused_steps
from moevlm.generation.state import DecodeState
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.observation import LayerRouting


@torch.inference_mode()
def decode_steps(
    model: MoEVLMForConditionalGeneration,
    state: DecodeState,
    *,
    num_steps: int,
    routing_record: list[LayerRouting] | None = None,
) -> DecodeState:
    """Feed the chosen token and choose the next one, `num_steps` times.

    Args:
        model: The model that made the state.
        state: Where to start; the cache is rewound to it, so starting twice gives the same result.
        num_steps: Steps, at least 1.
        routing_record: Takes one entry a layer and step; by the attention estimator only if prefill had one too.

    Raises:
        ValueError: `num_steps` is below 1 or exceeds the room left in the cache.
    """
    state.check_room(num_steps)
    state.cache.crop(min(0, state.length - state.cache.get_seq_length()))
    fused = fused_steps(model, state) if routing_record is None else None
    token_B1, position_B1, chosen = state.next_token_B1, state.position_B1, []
    for length in range(state.length + 1, state.length + num_steps + 1):
        if fused is None:
            logits_BV = _logits(model, state, token_B1, position_B1, length, routing_record)
        else:
            logits_BV = fused.logits(token_B1, position_B1, length - 1)
        token_B1 = logits_BV.argmax(-1, keepdim=True)
        position_B1 = position_B1 + 1
        chosen.append(token_B1)
    if fused is not None:
        fused.show(state.length + num_steps)
    return replace(
        state,
        position_B1=position_B1,
        logits_BV=logits_BV,
        next_token_B1=token_B1,
        tokens_BN=torch.cat(chosen, dim=1),
        length=state.length + num_steps,
    )


def _logits(
    model: MoEVLMForConditionalGeneration,
    state: DecodeState,
    token_B1: torch.Tensor,
    position_B1: torch.Tensor,
    length: int,
    routing_record: list[LayerRouting] | None,
) -> torch.Tensor:
    """Feed a token a sample through the modules, `length` tokens with it; return the logits (B, V)."""
    mask_BS = state.attention_mask_BS
    hidden_B1H = model.model.language_model(
        input_ids=token_B1,
        attention_mask=None if mask_BS is None else mask_BS[:, :length],
        position_ids=position_B1,
        cache=state.cache,
        routing_record=routing_record,
    ).last_hidden_state
    logits_BV: torch.Tensor = model.lm_head(hidden_B1H[:, -1])
    return logits_BV


def decode_step(model: MoEVLMForConditionalGeneration, state: DecodeState) -> DecodeState:
    """Feed the chosen token and choose the next one: `decode_steps` with one step."""
    return decode_steps(model, state, num_steps=1)
