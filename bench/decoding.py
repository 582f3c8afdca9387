"""Greedy decode of several models, each from its own KV cache, as the device runs it fastest.

On a GPU a step is replayed as a CUDA graph, which is captured off the clock; a CPU runs the layers as one operator, or
the modules where something asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import moevlm
from bench.checks.operators import check_operators
from bench.checks.passes import PassChecks, check_replays
from bench.harness.answers import Answer, Check
from fixtures.inputs import Inputs

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM, StaticDecoder

GRAPH = "graph"  # the path of what is replayed


class Decoding:
    """Answer on from prompts that were read once; every call starts from the same cache length.

    Args:
        begin: Makes the state to start from; takes and returns what `moevlm.prefill` does.
    """

    def __init__(
        self,
        models: Mapping[str, MoEVLM],
        inputs: Inputs,
        *,
        num_steps: int,
        begin: Callable[..., DecodeState] | None = None,
    ) -> None:
        """Read the prompts."""
        begin = begin or moevlm.prefill
        self.models, self.num_steps = models, num_steps
        self.decoders = {arm: _captured(model, inputs, num_steps) for arm, model in models.items()}
        self.memories = {arm: decoder.memory if decoder else None for arm, decoder in self.decoders.items()}
        self.states = {
            arm: begin(model, inputs.tensors, max_new_tokens=num_steps, memory=self.memories[arm])
            for arm, model in models.items()
        }

    def __call__(self, arm: str) -> DecodeState:
        """Return an arm's state after N steps; its tokens are (B, N)."""
        decoder = self.decoders[arm]
        return decoder.decode_steps(self.states[arm], num_steps=self.num_steps) if decoder else self.plainly(arm)

    @property
    def paths(self) -> dict[str, str]:
        """Name each arm's way through the code."""
        from moevlm.generation import decode_path

        return {
            arm: GRAPH if self.decoders[arm] else decode_path(model, len(self.states[arm].next_token_B1))
            for arm, model in self.models.items()
        }

    def check(self, checks: PassChecks) -> Check:
        """Return the check of an arm: prompt and steps by the oracle, and by them what no hook sees.

        That is what a graph replays, and operators.
        """
        return self.checked(checks, checks.steps(self.as_it_stands, self.num_steps, self.memories))

    def checked(self, checks: PassChecks, steps: Callable[[str], Answer]) -> Check:
        """Return a check of cached steps, followed by that of what no hook sees."""

        def check(arm: str) -> Answer | None:
            answer = steps(arm)
            if self.decoders[arm]:
                plain = self.as_it_stands(arm, self.states[arm], self.num_steps)
                check_replays(self(arm), plain, bound=checks.bound(arm), arm=arm)
            else:
                check_operators(self.models[arm], self.states[arm], arm=arm)
            return answer

        return check

    def as_it_stands(self, arm: str, state: DecodeState, num_steps: int) -> DecodeState:
        """Go on from a state by what is timed, but for the graph that replays it: hooks are called."""
        decoder = self.decoders[arm]
        if decoder:
            return decoder.decode_steps(state, num_steps=num_steps, replayed=False)
        return moevlm.decode_steps(self.models[arm], state, num_steps=num_steps)

    def plainly(self, arm: str) -> DecodeState:
        """Do the same without a graph, which calls no hooks."""
        return moevlm.decode_steps(self.models[arm], self.states[arm], num_steps=self.num_steps)


def _captured(model: MoEVLM, inputs: Inputs, num_steps: int) -> StaticDecoder | None:
    """Capture the step for this batch and length where there are CUDA graphs."""
    if model.device.type != "cuda":
        return None
    batch_size, prompt_length = inputs.tensors["input_ids"].shape
    return moevlm.StaticDecoder(model, batch_size=batch_size, max_length=prompt_length + num_steps)
