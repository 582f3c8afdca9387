"""Decode in fixed shapes: one step that touches only buffers taken once, so that a CUDA graph can replay it.

A graph replays the same kernels on the same addresses: what changes from step to step (token, position, the cache's
next slot, what may be seen) lives in tensors that the step itself advances. The mask covers the whole memory, read or
not, so take no more than a request needs; one decoder is one batch bucket, and smaller batches leave rows unused.

Shapes: B samples of the bucket, L tokens of its memory, V vocabulary.
"""

# torch's and transformers' classes carry few annotations.
# mypy: allow-untyped-calls

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from transformers import Cache

from moevlm.generation.cuda_graph import WARMUP_CALLS, captured
from moevlm.generation.greedy import greedy_token
from moevlm.generation.state import DecodeState
from moevlm.kernels.fast import has_gpu_kernels
from moevlm.model.cache import FixedLayer, LayerMemory, PreallocatedLayer, take_memory
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

if TYPE_CHECKING:
    from moevlm.generation.gpu_steps import GpuSteps

Step = Callable[[], None]


class StaticDecoder:
    """Decode steps of one batch bucket, captured once and replayed; under our backend on a GPU, in few launches.

    Prefill into its memory, then decode: `state = prefill(..., memory=decoder.memory)`, `decoder.decode_steps(state)`.
    The model must keep its weights' places, its backends and its routing profile from then on.

    Args:
        model: Model in eval mode, with SDPA attention.
        batch_size: Most samples of a batch.
        max_length: Most tokens of a sample, prompt, padding and answer together.
        capture: Turns a step into what replays it; None: a CUDA graph.

    Raises:
        ValueError: A CUDA graph is asked of another device, the step cannot be captured, the attention is not SDPA, or
            a size is too small.
    """

    @torch.inference_mode()
    def __init__(
        self,
        model: MoEVLMForConditionalGeneration,
        *,
        batch_size: int,
        max_length: int,
        capture: Callable[[Step], Step] | None = None,
    ) -> None:
        _check(model, batch_size, max_length)
        config, device = model.config.text_config, model.device
        model.model.language_model.join_projections()  # or the first prefill would, and a graph would read what was
        self.model = model
        self.memory = take_memory(
            config,
            batch_size=batch_size,
            max_length=max_length,
            width=config.head_dim,
            device=device,
            dtype=model.dtype,
        )
        self._token_B1, self._position_B1 = torch.zeros(2, batch_size, 1, dtype=torch.long, device=device)
        self._slot_1 = torch.zeros(1, dtype=torch.long, device=device)
        self._is_seen_BL = torch.zeros(batch_size, max_length, dtype=torch.bool, device=device)
        self._logits_BV = torch.zeros(batch_size, config.vocab_size, dtype=model.dtype, device=device)
        self._cache = Cache(layers=[FixedLayer(memory, self._slot_1) for memory in self.memory])
        self._steps = _gpu_steps(model, self.memory)
        step = partial(self._step, by_modules=False)
        self._replay = capture(step) if capture else captured(step, device)

    @torch.inference_mode()
    def decode_steps(self, state: DecodeState, *, num_steps: int, replayed: bool = True) -> DecodeState:
        """Feed the chosen token and choose the next one, `num_steps` times; as `moevlm.decode_steps`.

        Args:
            state: Where to start: of a prefill into this decoder's memory, the latest one.
            num_steps: Steps, at least 1.
            replayed: False runs each step as it stands, with the model's hooks: what a check looks into.

        Raises:
            ValueError: `num_steps` does not fit the room left, or the state's cache is elsewhere.
        """
        state.check_room(num_steps)
        layers = [layer for layer in state.cache.layers if isinstance(layer, PreallocatedLayer)]
        if not layers or layers[0].memory.keys.data_ptr() != self.memory[0].keys.data_ptr():
            raise ValueError("a state's cache must lie in the decoder's memory, got one elsewhere; "
                             "prefill with memory=decoder.memory")  # fmt: skip
        self._load(state)
        num_samples, chosen = len(state.next_token_B1), []
        for _ in range(num_steps):
            self._replay() if replayed else self._step(by_modules=True)
            chosen.append(self._token_B1[:num_samples].clone())
        for layer in layers:
            layer.show(state.length + num_steps)
        return replace(
            state,
            position_B1=state.position_B1 + num_steps,
            logits_BV=self._logits_BV[:num_samples].clone(),
            next_token_B1=chosen[-1],
            tokens_BN=torch.cat(chosen, dim=1),
            length=state.length + num_steps,
        )

    def _load(self, state: DecodeState) -> None:
        """Put the buffers where the state stands; unused rows see nothing but the token that they are fed."""
        num_samples, mask_BS = len(state.next_token_B1), state.attention_mask_BS
        self._token_B1[:num_samples] = state.next_token_B1
        self._position_B1[:num_samples] = state.position_B1
        self._slot_1.fill_(state.length)
        self._is_seen_BL.zero_()
        self._is_seen_BL[:num_samples, : state.length] = True if mask_BS is None else mask_BS[:, : state.length]

    def _step(self, *, by_modules: bool) -> None:
        self._is_seen_BL.index_fill_(1, self._slot_1, True)
        if by_modules or self._steps is None:
            hidden_B1H = self.model.model.language_model(
                input_ids=self._token_B1,
                attention_mask=self._is_seen_BL[:, None, None],
                position_ids=self._position_B1,
                cache=self._cache,
            ).last_hidden_state
            self._logits_BV.copy_(self.model.lm_head(hidden_B1H[:, -1]))
        else:
            place = self._token_B1, self._position_B1, self._slot_1, self._is_seen_BL
            self._logits_BV.copy_(self._steps.logits(*place))
        self._token_B1.copy_(greedy_token(self._logits_BV))
        self._position_B1.add_(1)
        self._slot_1.add_(1)


def _gpu_steps(model: MoEVLMForConditionalGeneration, memory: Sequence[LayerMemory]) -> "GpuSteps | None":
    """Return the step in few launches, where a GPU has it and it computes what the modules do; None: the modules."""
    if model.device.type != "cuda" or not has_gpu_kernels(model.dtype):
        return None
    from moevlm.generation.gpu_check import flaw  # Triton is read by those alone who have a GPU
    from moevlm.generation.gpu_steps import gpu_steps

    steps = gpu_steps(model, memory)
    if steps is not None and (why := flaw(steps)):
        warnings.warn(f"decode steps call this model's modules, as in few launches {why}", stacklevel=3)
        return None
    return steps


def _check(model: MoEVLMForConditionalGeneration, batch_size: int, max_length: int) -> None:
    attention = model.config.text_config._attn_implementation
    if attention != "sdpa":
        raise ValueError(
            f"a fixed-shape step needs attention 'sdpa', got {attention!r}; set_attn_implementation('sdpa')"
        )
    longest_capture = WARMUP_CALLS + 1  # steps that move the slot before the first real one, if a capture computes
    for name, value, least in (("batch_size", batch_size, 1), ("max_length", max_length, longest_capture)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}; ask for more")
