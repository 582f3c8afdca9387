"""Decode steps of a GPU in few launches: chosen by the rules of a CPU's operators, and only under our own backend.

Embedding, rotary embedding, last norm and head are the model's modules, with whatever hangs on them.

Shapes: B samples, L tokens that the cache has room for, H hidden size, V vocabulary.
"""

# torch's and transformers' modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch

from moevlm.generation.gpu_layer import GpuLayer, GpuPlace, Residual, gpu_layer
from moevlm.generation.plain import does_no_more
from moevlm.kernels.backends import OURS
from moevlm.kernels.fast import HIDDEN_ACT
from moevlm.model.attention import rotary_tables
from moevlm.model.cache import LayerMemory
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.profiles import bias_rows


@dataclass(frozen=True, kw_only=True)
class GpuSteps:
    """Decode steps of a model whose layers do no more than their tensors say."""

    model: MoEVLMForConditionalGeneration
    layers: Sequence[GpuLayer]
    memory: Sequence[LayerMemory]  # of each layer, contiguous

    def logits(
        self, token_B1: torch.Tensor, position_B1: torch.Tensor, slot_1: torch.Tensor, is_seen_BL: torch.Tensor
    ) -> torch.Tensor:
        """Feed a token a sample, whose keys and values go to `slot_1`; return the logits (B, V)."""
        text_model = self.model.model.language_model
        residual = Residual(text_model.embed_tokens(token_B1)[:, 0], None)
        place = self.place(residual.hidden_BH, position_B1, slot_1, is_seen_BL)
        for layer, memory in zip(self.layers, self.memory, strict=True):
            residual = layer.run(residual, place, memory)
        hidden_BH = residual.hidden_BH if residual.delta_BH is None else residual.hidden_BH + residual.delta_BH
        logits_BV: torch.Tensor = self.model.lm_head(text_model.norm(hidden_BH))
        return logits_BV

    def place(
        self, hidden_BH: torch.Tensor, position_B1: torch.Tensor, slot_1: torch.Tensor, is_seen_BL: torch.Tensor
    ) -> GpuPlace:
        """Say where the tokens of a step stand."""
        text_model, rows_B = self.model.model.language_model, None
        tables = rotary_tables(*text_model.rotary_emb(hidden_BH[:, None], position_B1))
        if text_model.routing_profile.is_biased:
            rows_B = bias_rows(position_B1, samples=text_model.batch_part.samples(len(position_B1)))
        return GpuPlace(tables, slot_1, is_seen_BL, rows_B)


def gpu_steps(model: MoEVLMForConditionalGeneration, memory: Sequence[LayerMemory]) -> GpuSteps | None:
    """Return how a model decodes in few launches; None: its modules must be called.

    Those are hooks, adapters, training, another backend or attention, a share of another device's tokens, biases of
    projections, or tensors of several dtypes.
    """
    text_model, config = model.model.language_model, model.config.text_config
    is_asked = (
        not torch.is_grad_enabled()
        and config._experts_implementation == OURS
        and config._attn_implementation == "sdpa"
        and config.hidden_act == HIDDEN_ACT
        and text_model.batch_part.at_home is None
        and {weight.dtype for weight in text_model.layers.parameters()} == {memory[0].keys.dtype}
        and does_no_more(text_model)
    )
    if not is_asked:
        return None
    layers = [gpu_layer(cast(MoEVLMDecoderLayer, layer)) for layer in text_model.layers]
    taken = [layer for layer in layers if layer is not None]
    return GpuSteps(model=model, layers=taken, memory=memory) if len(taken) == len(layers) else None
