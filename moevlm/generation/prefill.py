"""Prefill: the prompt through vision tower, projector and decoder, and the first token from its last position's logits.

The tower runs once an image and tokens are embedded for the whole batch; the decoder takes the batch in chunks of
samples where its widest tensors would not fit otherwise. Samples never meet in a decoder, so chunks change nothing.

Shapes: B samples, S prompt positions incl. padding, H hidden size, V vocabulary.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from moevlm.config import MoEVLMTextConfig
from moevlm.generation.greedy import greedy_token
from moevlm.generation.padding import Padding, positions
from moevlm.generation.state import DecodeState
from moevlm.model.attention import SCORE_COLUMNS
from moevlm.model.batch_part import BatchPart
from moevlm.model.cache import LayerMemory, growing_cache, take_memory
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.observation import LayerRouting

INPUTS = ("input_ids", "attention_mask", "pixel_values", "image_sizes")  # what a prompt consists of
CHUNK_BYTES = 8 << 30  # of a chunk's widest tensors: 11k tokens of the widest preset (34b's twin), enough to compute at
DENSE_VALUES = 4  # of each of F columns: gate and up, act(gate), their product
PAIR_VALUES = 4  # of each of H columns and (token, expert) pair: sorted input, output, weighted, unsorted


@torch.inference_mode()
def prefill(
    model: MoEVLMForConditionalGeneration,
    inputs: Mapping[str, torch.Tensor],
    *,
    max_new_tokens: int,
    routing_record: list[LayerRouting] | None = None,
    chunk_samples: int | None = None,
    memory: Sequence[LayerMemory] | None = None,
) -> DecodeState:
    """Run the prompt through the model and choose the first token.

    Args:
        model: Model in eval mode.
        inputs: The forward's tensors: input_ids (B, S), and attention_mask, pixel_values, image_sizes where given.
        max_new_tokens: Tokens that decode steps may append after the prompt.
        routing_record: Takes one entry a layer: how it routed, and the tokens' modality scores there. Such a prompt,
            and a device's part of a batch, are never cut into chunks.
        chunk_samples: Samples that pass the decoder at once; None: as many as keep its widest tensors in CHUNK_BYTES.
        memory: Where keys and values go, a `StaticDecoder`'s; what was there is overwritten. None: memory of its own.

    Raises:
        TypeError: The inputs hold something else, or no input_ids.
        ValueError: `max_new_tokens` or `chunk_samples` is below 1, prompt and new tokens exceed the model's maximum or
            the memory, padding is not on the left, chunks are asked of a prompt that cannot be cut, or the model is on
            several devices.
    """
    _check_names(inputs)
    _check_devices(model)
    ids_BS, text_model = inputs["input_ids"], model.model.language_model
    max_length = ids_BS.shape[1] + max_new_tokens
    _check_length(model.config.text_config, ids_BS.shape[1], max_new_tokens)
    chunk_samples = _chunk_samples(model, ids_BS, chunk_samples, is_recorded=routing_record is not None)
    memory = _memory(model, ids_BS, max_length, memory, is_recorded=routing_record is not None)
    padding = Padding(inputs.get("attention_mask"))  # counted before the tower, which nobody waits for then
    text_model.join_projections()
    embeds_BSH = model.model.embed(ids_BS, inputs.get("pixel_values"), inputs.get("image_sizes"))
    mask_BS = padding.mask(max_new_tokens)
    position_BS = positions(ids_BS, mask_BS)
    is_vision_BS = ids_BS == model.config.image_token_id if "pixel_values" in inputs else None
    last_hidden = []
    for start in range(0, len(ids_BS), chunk_samples):
        samples = slice(start, min(start + chunk_samples, len(ids_BS)))
        with _numbered_from(text_model, start):
            hidden_BSH = text_model(
                inputs_embeds=embeds_BSH[samples],
                attention_mask=None if mask_BS is None else mask_BS[samples, : ids_BS.shape[1]],
                position_ids=position_BS[samples],
                cache=growing_cache(memory, samples),
                vision_mask_BS=None if is_vision_BS is None else is_vision_BS[samples],
                routing_record=routing_record,
                last_only=True,
            ).last_hidden_state
        last_hidden.append(hidden_BSH[:, -1].clone())  # a view would keep the chunk
    logits_BV = model.lm_head(torch.cat(last_hidden))
    return DecodeState(
        cache=growing_cache(memory, slice(len(ids_BS)), length=ids_BS.shape[1]),
        attention_mask_BS=mask_BS,
        position_B1=position_BS[:, -1:] + 1,
        logits_BV=logits_BV,
        next_token_B1=greedy_token(logits_BV),
        tokens_BN=ids_BS.new_empty(len(ids_BS), 0),
        length=ids_BS.shape[1],
        max_length=max_length,
    )


def samples_a_chunk(config: MoEVLMTextConfig, *, seq_len: int, dtype_bytes: int) -> int:
    """Return how many samples keep a feed-forward layer's widest tensors within CHUNK_BYTES, at least 1.

    Args:
        config: The decoder's.
        seq_len: Prompt tokens a sample.
        dtype_bytes: Bytes of an activation.
    """
    pair_values = config.num_experts_per_tok * (PAIR_VALUES * config.hidden_size + config.moe_intermediate_size)
    values = pair_values if config.num_experts else DENSE_VALUES * config.intermediate_size
    return max(1, CHUNK_BYTES // (values * dtype_bytes * seq_len))


def _chunk_samples(
    model: MoEVLMForConditionalGeneration, ids_BS: torch.Tensor, asked: int | None, *, is_recorded: bool
) -> int:
    """Return the samples of a chunk; devices that exchange tokens must all run as many passes, so those run one."""
    is_whole = is_recorded or model.model.language_model.batch_part != BatchPart()
    if asked is None:
        config, itemsize = model.config.text_config, model.dtype.itemsize
        fitting = samples_a_chunk(config, seq_len=ids_BS.shape[1], dtype_bytes=itemsize)
        return len(ids_BS) if is_whole else min(fitting, len(ids_BS))
    if asked < 1:
        raise ValueError(f"chunk_samples must be at least 1, got {asked}; leave it out to have it chosen")
    if is_whole:
        raise ValueError(
            "chunk_samples must be None where routing is recorded or devices share a batch (one pass for all), "
            f"got {asked}; leave it out"
        )
    return asked


def _check_names(inputs: Mapping[str, torch.Tensor]) -> None:
    unknown = [name for name in inputs if name not in INPUTS]
    if unknown or "input_ids" not in inputs:
        raise TypeError(
            f"inputs must hold input_ids and may hold {', '.join(INPUTS[1:])}, got {', '.join(inputs) or 'nothing'}; "
            f"{'leave out ' + ', '.join(unknown) if unknown else 'add the tokens'}"
        )


def _check_length(config: MoEVLMTextConfig, prompt_length: int, max_new_tokens: int) -> None:
    longest = config.max_position_embeddings
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}; ask for one or more")
    if prompt_length + max_new_tokens > longest:
        raise ValueError(
            f"prompt and new tokens must not exceed max_position_embeddings={longest}, "
            f"got {prompt_length} + {max_new_tokens}; shorten the prompt or ask for fewer tokens"
        )


def _check_devices(model: MoEVLMForConditionalGeneration) -> None:
    """Refuse a model that `device_map` spread; weights that wait on the CPU or a disk come where it runs."""
    places = set(map(str, getattr(model, "hf_device_map", {}).values())) - {"cpu", "disk"}
    if len(places) > 1:
        raise ValueError(
            f"prefill keeps its cache on one device, got a model on {', '.join(sorted(places))}; call generate(), or "
            "load the model on one device"
        )


def _memory(
    model: MoEVLMForConditionalGeneration,
    ids_BS: torch.Tensor,
    max_length: int,
    given: Sequence[LayerMemory] | None,
    *,
    is_recorded: bool,
) -> Sequence[LayerMemory]:
    config = model.config.text_config
    is_scored = is_recorded and config.modality_scores == "attention"
    if given is None:
        width = config.head_dim + SCORE_COLUMNS if is_scored else config.head_dim
        shape = {"batch_size": len(ids_BS), "max_length": max_length, "width": width}
        return take_memory(config, **shape, device=ids_BS.device, dtype=model.dtype)
    most_samples, _, longest, _ = given[0].keys.shape
    if is_scored or len(ids_BS) > most_samples or max_length > longest:
        raise ValueError(
            f"the given memory takes prompts without scores of up to {most_samples} samples and {longest} tokens, got "
            f"{len(ids_BS)} x {max_length}{' with scores' if is_scored else ''}; take a larger decoder, or none"
        )
    return given


@contextmanager
def _numbered_from(text_model: MoEVLMTextModel, start: int) -> Iterator[None]:
    """Number samples from `start` on inside the block: a routing profile depends on a sample's number in the batch."""
    part = text_model.batch_part
    text_model.batch_part = replace(part, first=part.first + start * part.step)
    try:
        yield
    finally:
        text_model.batch_part = part
