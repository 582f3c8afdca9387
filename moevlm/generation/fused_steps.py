"""A decode step whose layers are one operator, over the tensors of a model and the memory of a cache.

Embedding, rotary embedding, last norm and head are the model's modules, with whatever hangs on them.

Shapes: B samples, S cached tokens and room, H hidden size, V vocabulary.
"""

# torch's and transformers' modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import torch
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeRotaryEmbedding

from moevlm.generation.fused_layer import FusedLayer, run_layers
from moevlm.kernels.cpu.layer import Place
from moevlm.kernels.projections import is_plain
from moevlm.model.attention import rotary_tables
from moevlm.model.cache import LayerMemory
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.profiles import bias_rows

STEPS_AT_ONCE = 64  # whose rotary tables are made together: few calls, little memory
BY_LENGTH = ("dynamic", "longrope")  # kinds of rotary embedding whose angles change with the length


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

    def logits(self, token_B1: torch.Tensor, begun: Begun) -> torch.Tensor:
        """Feed a token a sample, whose keys and values go to a slot; return the logits (B, V)."""
        text_model = self.model.model.language_model
        hidden_BH = text_model.embed_tokens(token_B1)[:, 0]
        for numbers in self._alike:
            hidden_BH = self._run(numbers, hidden_BH, begun)
        logits_BV: torch.Tensor = self.model.lm_head(text_model.norm(hidden_BH))
        return logits_BV

    def begin(self, position_B1: torch.Tensor, slot: int, *, num_steps: int = 1) -> Iterator[Begun]:
        """Say where the tokens of steps stand, which follow each other from a position and a slot.

        Rotary embedding is asked for many steps at once, unless something hangs on it or angles change with the length.
        """
        rotary = self.model.model.language_model.rotary_emb
        position_BN = position_B1 + torch.arange(num_steps, device=position_B1.device)
        is_asked_ahead = is_plain(rotary, Qwen3MoeRotaryEmbedding) and rotary.rope_type not in BY_LENGTH
        at_once = STEPS_AT_ONCE if is_asked_ahead else 1
        for first, positions in enumerate(position_BN.split(at_once, dim=1)):
            yield from self._begin(positions, slot + first * at_once)

    def _begin(self, position_BN: torch.Tensor, slot: int) -> Iterator[Begun]:
        text_model, num_samples, num_steps = self.model.model.language_model, *position_BN.shape
        tables = rotary_tables(*text_model.rotary_emb(self.memory[0].keys, position_BN))
        cos_NBW, signed_sin_NBW = (table[:, :, 0].transpose(0, 1).contiguous() for table in tables)
        rows_NB: Sequence[torch.Tensor | None] = [None] * num_steps
        if text_model.routing_profile.is_biased:
            rows = bias_rows(position_BN, samples=text_model.batch_part.samples(num_samples))
            rows_NB = rows.view(num_samples, num_steps).T.contiguous().unbind()
        for number, (cos, signed_sin, rows_B) in enumerate(zip(cos_NBW, signed_sin_NBW, rows_NB, strict=True)):
            length = slot + number + 1
            is_seen = None if self.mask_BS is None else self.mask_BS[:, :length].contiguous()
            yield Begun(Place(cos, signed_sin, length - 1, is_seen), rows_B)

    def layer(self, number: int, hidden_BH: torch.Tensor, begun: Begun) -> torch.Tensor:
        """Return the residual stream of a step after one layer."""
        return self._run([number], hidden_BH, begun)

    def _run(self, numbers: Sequence[int], hidden_BH: torch.Tensor, begun: Begun) -> torch.Tensor:
        layers, memory = [self.layers[number] for number in numbers], [self.memory[number] for number in numbers]
        return run_layers(layers, hidden_BH, begun.place, begun.rows_B, memory)

    @cached_property
    def _alike(self) -> list[list[int]]:
        """Return the numbers of the layers that one call of the operator runs."""
        groups = groupby(range(len(self.layers)), key=lambda number: self.layers[number].settings)
        return [[*numbers] for _, numbers in groups]
