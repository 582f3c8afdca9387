"""The operators that stand for a decode step's layers, each on what its layer was given when modules ran the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bench.layers.passes import LayerCalls

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM
    from moevlm.generation import FusedSteps
    from moevlm.generation.fused_steps import Begun


@dataclass(frozen=True, kw_only=True, eq=False)
class Operators:
    """Operators of one step and what they are given."""

    steps: FusedSteps
    begun: Begun
    given: Sequence[torch.Tensor]  # residual stream before each layer, (B, H)

    @torch.inference_mode()
    def run(self) -> list[torch.Tensor]:
        """Return the residual stream after each layer, (B, H); the cache takes what it took."""
        return [self.steps.layer(number, hidden_BH, self.begun) for number, hidden_BH in enumerate(self.given)]


@torch.inference_mode()
def operators_of(model: MoEVLM, state: DecodeState, layers: Sequence[LayerCalls]) -> Operators | None:
    """Return the operators of the step after a state; None where the model's modules are called.

    Args:
        layers: The same step's calls of the modules.
    """
    from moevlm.generation import fused_steps

    steps = fused_steps(model, state)
    if steps is None:
        return None
    given = [calls["layer"].arguments[0][:, 0] for calls in layers]
    return Operators(steps=steps, begun=next(steps.begin(state.position_B1, state.length)), given=given)
