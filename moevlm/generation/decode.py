"""Decode: feed the chosen token and choose the next one, in a cache that grows; any device, attention and backend."""

from dataclasses import replace

import torch
from transformers import Cache

from moevlm.generation.fused import fused_steps
from moevlm.generation.greedy import greedy_token
from moevlm.generation.modules_step import logits_by_modules
from moevlm.generation.state import DecodeState
from moevlm.model.cache import PreallocatedLayer
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.observation import LayerRouting


@torch.inference_mode()
def decode_steps(
    model: MoEVLMForConditionalGeneration,
    state: DecodeState,
    *,
    num_steps: int,
    routing_record: list[LayerRouting] | None = None,
    by_modules: bool = False,
) -> DecodeState:
    """Feed the chosen token and choose the next one, `num_steps` times.

    On a CPU all layers are one operator, unless something asks for the modules: see `moevlm.generation.fused`.

    Args:
        model: The model that made the state.
        state: Where to start; the cache is rewound to it, so starting twice gives the same result.
        num_steps: Steps, at least 1.
        routing_record: Takes one entry a layer and step; by the attention estimator only if prefill had one too.
        by_modules: True calls the layers' modules though nothing asks for them, as another model's must be that is
            compared with this one.

    Raises:
        ValueError: `num_steps` is below 1 or exceeds the room left in the cache.
    """
    state.check_room(num_steps)
    state.cache.crop(min(0, state.length - state.cache.get_seq_length()))
    fused = None if by_modules or routing_record is not None else fused_steps(model, state)
    token_B1, chosen = state.next_token_B1, []
    begun = None if fused is None else fused.begin(state.position_B1, state.length, num_steps=num_steps)
    for number in range(num_steps):
        if fused is None or begun is None:
            position_B1, mask_BS = state.position_B1 + number, state.attention_mask_BS
            logits_BV = logits_by_modules(model, state.cache, mask_BS, token_B1, position_B1, routing_record)
        else:
            logits_BV = fused.logits(token_B1, next(begun))
        token_B1 = greedy_token(logits_BV)
        chosen.append(token_B1)
    if fused is not None:
        _show(state.cache, state.length + num_steps)
    return replace(
        state,
        position_B1=state.position_B1 + num_steps,
        logits_BV=logits_BV,
        next_token_B1=token_B1,
        tokens_BN=torch.cat(chosen, dim=1),
        length=state.length + num_steps,
    )


def _show(cache: Cache, length: int) -> None:
    """Make the first `length` tokens of its memory a cache's content, as the modules would have."""
    for layer in cache.layers:
        if isinstance(layer, PreallocatedLayer):
            layer.show(length)


def decode_step(model: MoEVLMForConditionalGeneration, state: DecodeState) -> DecodeState:
    """Feed the chosen token and choose the next one: `decode_steps` with one step."""
    return decode_steps(model, state, num_steps=1)
