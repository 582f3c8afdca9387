"""One pass of a decoder taken apart: what each module of each layer was given, and what it returned.

Modules are hooked while the pass is recorded, never while the clock runs.

Shapes: B samples, T tokens, K experts a token, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

import moevlm
from moevlm.smoes.specialization import recorded_routing

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM

MODULES = {
    "layer": "",
    "norm_before": "input_layernorm",
    "attention": "self_attn",
    "norm_between": "post_attention_layernorm",
    "ffn": "mlp",
}
ROUTED_MODULES = {"router": "mlp.gate", "experts": "mlp.experts"}  # of an MoE's layer besides


class Call(NamedTuple):
    """One call of a module: what it was given and what it returned."""

    module: nn.Module
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    output: Any

    def again(self) -> Any:
        """Call the module with the same arguments."""
        return self.module(*self.arguments, **self.keywords)


LayerCalls = dict[str, Call]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One pass of one model.

    Args:
        prompt_ids: What each router chose for the prompt, (T, K); empty for a dense model.
        state: What a step starts from; None in a prompt's pass.
        run: Runs the pass, vision tower and projector left out, and returns its logits (B, V).
        rewind: Takes out of the cache what the pass put in.
        of: Takes the same pass of another model apart: one of the same tensors, whose routers are steered otherwise.
    """

    model: MoEVLM
    phase: str
    layers: Sequence[LayerCalls]
    prompt_ids: Sequence[torch.Tensor]
    state: DecodeState | None = None
    run: Callable[[], torch.Tensor]
    rewind: Callable[[], None]
    of: Callable[[MoEVLM], Pass]

    @property
    def step_ids(self) -> list[torch.Tensor]:
        """Return what each router chose in the pass itself, (T, K)."""
        return [calls["router"].output.ids_TK for calls in self.layers if "router" in calls]


@contextlib.contextmanager
def recorded_layers(model: MoEVLM) -> Iterator[list[LayerCalls]]:
    """Keep the calls of every decoder layer's modules inside the block; of several passes the last."""
    layers = list(model.model.language_model.layers)
    paths = MODULES | (ROUTED_MODULES if model.config.text_config.num_experts else {})
    recorded: list[LayerCalls] = [{} for _ in layers]

    def keep(calls: LayerCalls, name: str, module: nn.Module, args: Any, keywords: Any, output: Any) -> None:
        calls[name] = Call(module, args, keywords, output)

    handles = [
        layer.get_submodule(path).register_forward_hook(partial(keep, calls, name), with_kwargs=True)
        for layer, calls in zip(layers, recorded, strict=True)
        for name, path in paths.items()
    ]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()
    unseen = {name for calls in recorded for name in paths.keys() - calls.keys()}
    if unseen:
        raise ValueError(f"a pass must call {', '.join(paths)} of every layer, got no call of {', '.join(unseen)}")


def prefill_pass(model: MoEVLM, inputs: Mapping[str, torch.Tensor]) -> Pass:
    """Take the prompt's pass apart, all samples in one; its last token gets logits, as in `moevlm.prefill`."""
    text_model, seen = model.model.language_model, []
    handle = text_model.register_forward_hook(lambda *call: seen.append(Call(*call)), with_kwargs=True)
    try:
        with recorded_routing(model) as prompt_ids, recorded_layers(model) as layers:
            moevlm.prefill(model, inputs, max_new_tokens=1, chunk_samples=len(inputs["input_ids"]))
    finally:
        handle.remove()
    (text_call,) = seen
    cache = text_call.keywords["cache"]

    def rewind() -> None:
        cache.crop(-cache.get_seq_length())

    # every layer on all tokens, as its parts are timed
    all_tokens = {name: value for name, value in text_call.keywords.items() if name != "last_only"}

    def run() -> torch.Tensor:
        rewind()
        output = text_model(*text_call.arguments, **all_tokens)
        logits_BV: torch.Tensor = model.lm_head(output.last_hidden_state[:, -1])
        return logits_BV

    return Pass(
        model=model,
        phase="prefill",
        layers=layers,
        prompt_ids=prompt_ids,
        run=run,
        rewind=rewind,
        of=lambda other: prefill_pass(other, inputs),
    )


def decode_pass(model: MoEVLM, inputs: Mapping[str, torch.Tensor]) -> Pass:
    """Take the first decode step after the prompt apart."""
    with recorded_routing(model) as prompt_ids:
        state = moevlm.prefill(model, inputs, max_new_tokens=1, chunk_samples=len(inputs["input_ids"]))
    return _step_pass(model, state, prompt_ids)


def _step_pass(model: MoEVLM, state: DecodeState, prompt_ids: Sequence[torch.Tensor]) -> Pass:
    """Take a step apart; another model's goes on from the same prompt in the same cache."""
    with recorded_layers(model) as layers:
        moevlm.decode_steps(model, state, num_steps=1)

    def rewind() -> None:
        state.cache.crop(min(0, state.length - state.cache.get_seq_length()))

    def run() -> torch.Tensor:
        return moevlm.decode_steps(model, state, num_steps=1).logits_BV

    return Pass(
        model=model,
        phase="decode",
        layers=layers,
        prompt_ids=prompt_ids,
        state=state,
        run=run,
        rewind=rewind,
        of=lambda other: _step_pass(other, state, prompt_ids),
    )


PHASES = {"prefill": prefill_pass, "decode": decode_pass}
