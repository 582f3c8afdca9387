"""The text decoder in the words of Qwen3-MoE or Qwen3, which other engines know: its tensors, and what they cannot run.

Shapes: E experts or blocks, I width of one, H hidden size, F = E * I.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from moevlm.config import MoEVLMTextConfig
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

ONLY: Mapping[str, Any] = {  # field -> what engines build of Qwen3 and Qwen3-MoE, and nothing else
    "hidden_act": "silu",
    "attention_bias": False,
    "num_text_experts": None,
}
ONLY_OF_EXPERTS: Mapping[str, Any] = {"norm_topk_prob": True}
PLAIN_ROPE = {"rope_type": "default"}  # beside its base
MODALITY_STATE = ("modality", "bins")  # SMoES' modules of a layer: they measure and train, and change no output


class Weight(NamedTuple):
    """A tensor under Qwen3's name: `stored` reshaped to `shape`, which is a copy where it must be."""

    name: str
    stored: torch.Tensor
    shape: tuple[int, ...]

    def read(self) -> torch.Tensor:
        """Return the tensor, contiguous, on the CPU."""
        return self.stored.reshape(self.shape).contiguous().cpu()


def check_carried(model: MoEVLMForConditionalGeneration) -> None:
    """Demand a decoder that computes what Qwen3-MoE or Qwen3 does.

    Raises:
        ValueError: It has a part that these have no counterpart for, or a routing profile steers it.
    """
    config, decoder = model.config.text_config, model.model.language_model
    whose = "Qwen3-MoE" if config.num_experts else "Qwen3"
    for name, only in {**ONLY, **(ONLY_OF_EXPERTS if config.num_experts else {})}.items():
        if getattr(config, name) != only:
            raise ValueError(f"{name} must be {only}, the only way of {whose} elsewhere, got {getattr(config, name)}; "
                             "export a model that was built so")  # fmt: skip
    fields = {name: value for name, value in rope_fields(config).items() if name != "rope_theta" and value is not None}
    if fields != PLAIN_ROPE:
        raise ValueError(f"rope_parameters must be {PLAIN_ROPE} with any rope_theta, got {fields}; "
                         "export a model that was built so")  # fmt: skip
    if decoder.routing_profile.is_biased:
        raise ValueError(f"the router's weights alone must route, for no engine adds a bias for each token, got the "
                         f"routing profile {decoder.routing_profile.id}; apply the profile weights")  # fmt: skip


def rope_fields(config: MoEVLMTextConfig) -> dict[str, Any]:
    """Return RoPE's kind and base as transformers spells them."""
    assert config.rope_parameters is not None, "transformers fills it in"
    return dict(config.rope_parameters)


def decoder_weights(model: MoEVLMForConditionalGeneration) -> Iterator[Weight]:
    """Yield the decoder's tensors, the output head last; it is left out where it is the embedding.

    Raises:
        ValueError: As `check_carried`.
    """
    check_carried(model)
    decoder: MoEVLMTextModel = model.model.language_model
    is_moe = decoder.config.num_experts > 0
    for name, parameter in decoder.named_parameters(prefix="model"):
        path, _, kind = name.rpartition(".")
        split = FFN_PARTS.get(kind)
        if split is None:
            yield Weight(name, parameter.detach(), tuple(parameter.shape))
        else:
            yield from split(path, parameter.detach(), is_moe)
    if not decoder.config.tie_word_embeddings:
        head = model.lm_head.weight.detach()
        yield Weight("lm_head.weight", head, tuple(head.shape))


def _gate_and_up(path: str, stored: torch.Tensor, is_moe: bool) -> Iterator[Weight]:
    num_blocks, rows, hidden = stored.shape
    shape = (num_blocks, rows // 2, hidden) if is_moe else (num_blocks * rows // 2, hidden)
    for name, part_EIH in zip(("gate_proj", "up_proj"), stored.chunk(2, dim=1), strict=True):
        yield Weight(f"{path}.{name}.weight", part_EIH, shape)


def _down(path: str, stored_EIH: torch.Tensor, is_moe: bool) -> Iterator[Weight]:
    down = stored_EIH.transpose(1, 2) if is_moe else stored_EIH.flatten(0, 1).T
    yield Weight(f"{path}.down_proj.weight", down, tuple(down.shape))


FFN_PARTS: Mapping[str, Callable[[str, torch.Tensor, bool], Iterator[Weight]]] = {
    "gate_up_proj": _gate_and_up,
    "down": _down,
}


def left_out(model: MoEVLMForConditionalGeneration) -> list[str]:
    """Say what of a model is no part of its text decoder, or changes none of its outputs."""
    counted = {
        "the vision tower": sum(int(tensor.numel()) for tensor in model.model.vision_tower.parameters()),
        "the projector": sum(int(tensor.numel()) for tensor in model.model.multi_modal_projector.parameters()),
        "modality scores and expert bins, which only measure": sum(
            int(buffer.numel())
            for name, buffer in model.model.language_model.named_buffers()
            if any(f".{state}." in name for state in MODALITY_STATE)
        ),
    }
    return [f"{what} ({count:,} values)" for what, count in counted.items() if count]
