"""Greedy generation in two phases that are measured apart: prefill (one pass over the prompt), then decode steps.

Positions count the real tokens of a sample from 0, so padding on the left moves nothing: position = cumulative sum of
the attention mask - 1. Decode goes on from each sample's own last position. The mask is built once for the prompt and
all decode steps (1 after the prompt), and each step reads a view of it; a batch without padding has none, which lets
attention take its fastest path.

Shapes: B samples, S prompt positions incl. padding, N decode steps, V vocabulary.
"""

# transformers' methods carry no annotations.

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from moevlm.observation import LayerRouting
from moevlm.vision_language import MoEVLMForConditionalGeneration


@dataclass(frozen=True, kw_only=True)
class DecodeState:
    """Where decoding stands.

    A state shares its cache with those made from it: going on from an older state rewinds the cache, after which
    only states made from then on hold.

    Args:
        cache: Keys and values of every layer, with room for `max_new_tokens` more after the prompt.
        attention_mask_BS: Over prompt and room, bool; None where no sample is padded.
        position_B1: Position of the next token, int64.
        logits_BV: Logits after the last token fed, in the model's dtype.
        next_token_B1: Greedy choice from `logits_BV`, int64.
        tokens_BN: Greedy choice of each decode step of the call that made this state; (B, 0) after prefill.
        length: Tokens in the cache, padding counted.
        max_length: Tokens that the cache can hold.
    """

    cache: Cache
    attention_mask_BS: torch.Tensor | None
    position_B1: torch.Tensor
    logits_BV: torch.Tensor
    next_token_B1: torch.Tensor
    tokens_BN: torch.Tensor
    length: int
    max_length: int


class PreallocatedLayer(DynamicLayer):
    """A cache layer that writes into memory taken once, where transformers' copies the whole layer at each token."""

    def __init__(self, max_length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers declares no types here
        self.max_length = max_length

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take the memory when the first keys tell its shape, dtype and device."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.buffers = [
            states.new_empty(*states.shape[:2], self.max_length, states.shape[-1])
            for states in (key_states, value_states)
        ]
        self.keys, self.values = (buffer[:, :, :0] for buffer in self.buffers)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (B, heads, new, head_dim) and return views of all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = new
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        return self.keys, self.values


@torch.inference_mode()
def prefill(
    model: MoEVLMForConditionalGeneration,
    inputs: Mapping[str, torch.Tensor],
    *,
    max_new_tokens: int,
    routing_record: list[LayerRouting] | None = None,
) -> DecodeState:
    """Run the prompt through the model and choose the first token.

    Args:
        model: Model in eval mode.
        inputs: The forward's tensors: input_ids (B, S), and attention_mask, pixel_values, image_sizes where given.
        max_new_tokens: Tokens that decode steps may append after the prompt.
        routing_record: Takes one entry a layer: how it routed, and the tokens' modality scores there.

    Raises:
        ValueError: `max_new_tokens` is below 1, prompt and new tokens exceed the model's maximum, or padding is not on
            the left.
    """
    batch_size, prompt_length = inputs["input_ids"].shape
    max_length = prompt_length + max_new_tokens
    _check_length(model, prompt_length, max_new_tokens)
    mask_BS = _padding_mask(inputs, max_new_tokens)
    if mask_BS is None:
        position_BS = torch.arange(prompt_length, device=model.device).expand(batch_size, -1)
    else:
        position_BS = (mask_BS[:, :prompt_length].long().cumsum(-1) - 1).clamp_min(0)
    cache = Cache(layers=[PreallocatedLayer(max_length) for _ in range(model.config.text_config.num_hidden_layers)])
    logits_BSV = model(
        **{name: tensor for name, tensor in inputs.items() if name != "attention_mask"},
        attention_mask=None if mask_BS is None else mask_BS[:, :prompt_length],
        position_ids=position_BS,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        routing_record=routing_record,
    ).logits
    return DecodeState(
        cache=cache,
        attention_mask_BS=mask_BS,
        position_B1=position_BS[:, -1:] + 1,
        logits_BV=logits_BSV[:, -1],
        next_token_B1=logits_BSV[:, -1].argmax(-1, keepdim=True),
        tokens_BN=inputs["input_ids"].new_empty(batch_size, 0),
        length=prompt_length,
        max_length=max_length,
    )


def _check_length(model: MoEVLMForConditionalGeneration, prompt_length: int, max_new_tokens: int) -> None:
    longest = model.config.text_config.max_position_embeddings
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}; ask for one or more")
    if prompt_length + max_new_tokens > longest:
        raise ValueError(
            f"prompt and new tokens must not exceed max_position_embeddings={longest}, "
            f"got {prompt_length} + {max_new_tokens}; shorten the prompt or ask for fewer tokens"
        )


def _padding_mask(inputs: Mapping[str, torch.Tensor], max_new_tokens: int) -> torch.Tensor | None:
    mask_BS = inputs.get("attention_mask")
    if mask_BS is None or bool(mask_BS.all()):
        return None
    if not mask_BS[:, -1].all():
        raise ValueError("attention_mask must pad on the left, got padding at the end; set padding_side='left'")
    return torch.nn.functional.pad(mask_BS.bool(), (0, max_new_tokens), value=True)


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
    room = state.max_length - state.length
    if not 1 <= num_steps <= room:
        raise ValueError(
            f"num_steps must be in [1, {room}] (room left in the cache), got {num_steps}; "
            "prefill with a larger max_new_tokens"
        )
    state.cache.crop(min(0, state.length - state.cache.get_seq_length()))
    text_model, mask_BS = model.model.language_model, state.attention_mask_BS
    token_B1, position_B1, chosen = state.next_token_B1, state.position_B1, []
    for length in range(state.length + 1, state.length + num_steps + 1):
        hidden_B1H = text_model(
            input_ids=token_B1,
            attention_mask=None if mask_BS is None else mask_BS[:, :length],
            position_ids=position_B1,
            past_key_values=state.cache,
            routing_record=routing_record,
        ).last_hidden_state
        logits_BV = model.lm_head(hidden_B1H[:, -1])
        token_B1 = logits_BV.argmax(-1, keepdim=True)
        position_B1 = position_B1 + 1
        chosen.append(token_B1)
    return DecodeState(
        cache=state.cache,
        attention_mask_BS=mask_BS,
        position_B1=position_B1,
        logits_BV=logits_BV,
        next_token_B1=token_B1,
        tokens_BN=torch.cat(chosen, dim=1),
        length=state.length + num_steps,
        max_length=state.max_length,
    )


def decode_step(model: MoEVLMForConditionalGeneration, state: DecodeState) -> DecodeState:
    """Feed the chosen token and choose the next one: `decode_steps` with one step."""
    return decode_steps(model, state, num_steps=1)
