"""A decode step whose layers are one operator each, over the tensors of a model and the memory of a cache.

Embedding, rotary embedding, last norm and head are the model's modules, with whatever hangs on them.

Shapes: B samples, S cached tokens and room, H hidden size, V vocabulary.
"""

# torch's and transformers' modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from moevlm.generation.fused_layer import FusedLayer
from moevlm.kernels.cpu.layer import Place
from moevlm.model.attention import rotary_tables
from moevlm.model.cache import LayerMemory
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.profiles import bias_rows


class Begun(NamedTuple):
    """What the layers of a step share."""

    place: Place
    rows_B: torch.Tensor | None  # of the routing profile's tables


@dataclass(frozen=True, kw_only=True)
class FusedSteps:
    """Decode steps of a model whose layers do no more than their tensors say."""

    model: MoEVLMForConditionalGeneration
    layers: Sequence[FusedLayer]
    memory: Sequence[LayerMemory]  # of each layer, contiguous
    mask_BS: torch.Tensor | None  # True for a token, False for padding; None: no padding

    def logits(self, token_B1: torch.Tensor, position_B1: torch.Tensor, slot: int) -> torch.Tensor:
        """Feed a token a sample, whose keys and values go to `slot`; return the logits (B, V)."""
        text_model = self.model.model.language_model
        hidden_BH = text_model.embed_tokens(token_B1)[:, 0]
        begun = self.begin(hidden_BH, position_B1, slot)
        for number in range(len(self.layers)):
            hidden_BH = self.layer(number, hidden_BH, begun)
        logits_BV: torch.Tensor = self.model.lm_head(text_model.norm(hidden_BH))
        return logits_BV

    def begin(self, hidden_BH: torch.Tensor, position_B1: torch.Tensor, slot: int) -> Begun:
        """Say where the tokens of a step stand."""
        text_model = self.model.model.language_model
        cos, signed_sin = rotary_tables(*text_model.rotary_emb(hidden_BH[:, None], position_B1))
        is_seen = None if self.mask_BS is None else self.mask_BS[:, : slot + 1].contiguous()
        rows_B = None
        if text_model.routing_profile.is_biased:
            rows_B = bias_rows(position_B1, samples=text_model.batch_part.samples(len(position_B1)))
        return Begun(Place(cos, signed_sin, slot, is_seen), rows_B)

    def layer(self, number: int, hidden_BH: torch.Tensor, begun: Begun) -> torch.Tensor:
        """Return the residual stream of a step after one layer."""
        return self.layers[number].run(hidden_BH, begun.place, begun.rows_B, self.memory[number])
