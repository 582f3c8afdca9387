"""When decode steps run the layers as operators: where a model's modules do no more than their tensors say.

What the modules cost beside their kernels is half of a small model's step. Nothing here decides anything: a model is
looked at once, its operators are checked against its modules, and they are left wherever a hook, an adapter, training,
another backend or another device asks for the modules, at once and until it is gone.

Shapes: B samples, G key-value heads, L tokens that the cache has room for, W head_dim.
"""

# torch's and transformers' modules carry few annotations.
# mypy: allow-untyped-calls

import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

import torch

from moevlm.generation.fused_check import flaw
from moevlm.generation.fused_layer import FusedLayer, fuse
from moevlm.generation.fused_steps import FusedSteps
from moevlm.generation.plain import does_no_more, watched
from moevlm.generation.state import DecodeState
from moevlm.generation.untouched import Untouched
from moevlm.kernels.backends import OURS
from moevlm.kernels.best_backend import AUTO
from moevlm.kernels.cpu import way
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.choosing import KERNELS
from moevlm.kernels.cpu.pages import use_huge_pages
from moevlm.kernels.cpu.way_timing import DENSE
from moevlm.kernels.fast import HIDDEN_ACT
from moevlm.model.cache import LayerMemory, PreallocatedLayer
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

FUSED, MODULES = "fused", "modules"  # paths of a decode step


class Built(NamedTuple):
    """A model's layers, for as long as it is what it was."""

    untouched: Untouched
    layers: Sequence[FusedLayer] | None  # None: the operator takes no such sizes, or returned something else


built_of: WeakKeyDictionary[MoEVLMForConditionalGeneration, Built] = WeakKeyDictionary()


def fused_steps(model: MoEVLMForConditionalGeneration, state: DecodeState) -> FusedSteps | None:
    """Return how a model decodes from a state without its layers' modules; None: the modules must be called."""
    num_samples, mask_BS = len(state.next_token_B1), state.attention_mask_BS
    layers = _layers_for(model, num_samples)
    if layers is None or (mask_BS is not None and mask_BS.dtype != torch.bool):
        return None
    memory, text = list(_memory(state)), model.config.text_config
    shape, dtype = (num_samples, text.num_key_value_heads, text.head_dim), layers[0].weights.down_EIH.dtype
    if len(memory) != len(layers) or not all(_fits(states, shape, dtype) for pair in memory for states in pair):
        return None
    return FusedSteps(model=model, layers=layers, memory=memory, mask_BS=mask_BS)


@torch.inference_mode()
def decode_path(model: MoEVLMForConditionalGeneration, num_samples: int) -> str:
    """Name what `decode_steps` runs for so many samples, of a prompt whose routing is not recorded."""
    return MODULES if _layers_for(model, num_samples) is None else FUSED


def _memory(state: DecodeState) -> Iterator[LayerMemory]:
    return (layer.memory for layer in state.cache.layers if isinstance(layer, PreallocatedLayer))


def _fits(states_BGLW: torch.Tensor, shape: tuple[int, int, int], dtype: torch.dtype) -> bool:
    """Tell whether the operator writes to such a memory; with modality scores it is wider."""
    num_samples, num_keys, _, width = states_BGLW.shape
    return (num_samples, num_keys, width) == shape and states_BGLW.dtype == dtype and states_BGLW.is_contiguous()


def _layers_for(model: MoEVLMForConditionalGeneration, num_samples: int) -> Sequence[FusedLayer] | None:
    """Return the layers where the operator is the best choice.

    One choice for MoE and twin, the one for the blocks of the twin, which see every sample: both take the same path.
    """
    if _asks_for_modules(model):
        return None
    built = built_of.get(model)
    if built is None or not built.untouched.holds():
        if not does_no_more(model.model.language_model):
            return None  # what was built stays, for when the hook is gone
        built = built_of[model] = _build(model)
    if built.layers is None or way.way_of(DENSE, built.layers[0].weights.down_EIH, num_samples) != KERNELS:
        return None
    return built.layers


def _asks_for_modules(model: MoEVLMForConditionalGeneration) -> bool:
    """Tell whether something asks for the modules that is not seen in them."""
    text_model, config = model.model.language_model, model.config.text_config
    weight = next(text_model.layers.parameters(), None)
    return (
        torch.is_grad_enabled()
        or weight is None
        or not weight.is_cpu
        or text_model.batch_part.at_home is not None
        or config._attn_implementation != "sdpa"
        or config._experts_implementation not in (None, AUTO, OURS)
        or config.hidden_act != HIDDEN_ACT
        or load() is not None
    )


def _build(model: MoEVLMForConditionalGeneration) -> Built:
    """Make the operators of a model's layers; those that do not return what its modules do are not used."""
    text_model = model.model.language_model
    use_huge_pages(model.parameters())
    untouched = Untouched(watched(text_model))
    fused = [fuse(cast(MoEVLMDecoderLayer, layer)) for layer in text_model.layers]
    layers = [layer for layer in fused if layer is not None]
    if len(layers) < len(fused):
        return Built(untouched, None)
    if why := flaw(model, layers):
        warnings.warn(f"decode steps call this model's modules, as its layers as operators {why}", stacklevel=2)
        return Built(untouched, None)
    return Built(untouched, layers)
