"""Layers: where a decoder's time goes, part by part, and how that moves with the specialization of the experts.

The arm is one pass of the decoder: the prompt's (vision tower and projector are bench_vision's) or one cached step.
Arms named arm/part run one part of that pass in all layers in turn, on what it was really given: "layers" whole ones,
and what they are made of; they explain and are not judged. Where a profile steers the routing, the same layers run
under uniform routing too: what specialization changes is the ratio within a block, not between two launches.
`python -m bench.harness layers` shows whether the parts add up, and what routing did beside them.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.floors import Work, depth_facts
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from bench.layers.parts import part_costs, parts_of
from bench.layers.passes import PHASES, LayerCalls, Pass
from bench.layers.routing_facts import routing_facts
from bench.layers.uniform import UNIFORM, uniform_parts
from fixtures.inputs import Inputs
from fixtures.models import Twins
from moevlm.routing_profiles import RoutingProfile

GIVEN: dict[str, Callable[[Any, LayerCalls], tuple[torch.Tensor, torch.Tensor]]] = {
    # a part -> from what it gave alone and its layer's calls: the tensor to check, and what the pass gave there
    "layers": lambda output, calls: (output.hidden_BSH, calls["layer"].output.hidden_BSH),
    "norms": lambda output, calls: (output, calls["layer"].output.hidden_BSH),
    "attention": lambda output, calls: (output[0], calls["attention"].output[0]),
    "experts": lambda output, calls: (output, calls["experts"].output),
    "combine": lambda output, calls: (output, calls["experts"].output),
    "ffn": lambda output, calls: (output, calls["ffn"].output),
}
ERROR_BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 2e-2, torch.float16: 2e-2}


@pytest.mark.defaults(scale=["tiny"], seq_len=[128])  # twenty arms a scenario: larger ones where they are asked for
@pytest.mark.parametrize("phase", list(PHASES))
@torch.inference_mode()
def bench_layers(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    prefill_anchor: str,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
    phase: str,
) -> None:
    """Run a pass, its layers, and each of their parts."""
    passes = {arm: PHASES[phase](model, inputs.tensors) for arm, model in twins.items()}
    calls = {arm: taken.run for arm, taken in passes.items()}
    for arm, taken in passes.items():
        calls |= {f"{arm}/{part}": call for part, call in parts_of(taken).items()}
    profile: RoutingProfile = twins["moe"].model.language_model.routing_profile
    facts = routing_facts(passes["moe"], inputs.tensors, profile)
    if profile.name != UNIFORM:
        passes[UNIFORM], parts = uniform_parts(passes["moe"])
        calls |= {f"{UNIFORM}/{part}": call for part, call in parts.items()}
    outputs: dict[str, Any] = paired.measure(
        lambda name: calls[name](),
        arms=calls,
        check=lambda arm: None,
        metric=LATENCY,
        anchor=prefill_anchor if phase == "prefill" else decode_anchor,
        costs={name: cost for arm, taken in passes.items() for name, cost in _costs(arm, taken, inputs).items()},
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={**facts, **depth_facts(twins)},
    )
    for arm, taken in passes.items():
        check_parts(taken, {part: outputs[f"{arm}/{part}"] for part in GIVEN if f"{arm}/{part}" in outputs})
    assert all(torch.isfinite(outputs[arm]).all() for arm in twins)


def _costs(arm: str, taken: Pass, inputs: Inputs) -> dict[str, Work]:
    costs = part_costs(taken, batch_size=len(inputs.prompt_tokens), seq_len=inputs.mean_prompt_tokens)
    return {f"{arm}/{part}" if part else arm: cost for part, cost in costs.items()}


def check_parts(taken: Pass, outputs: dict[str, Any]) -> None:
    """Check that the parts that were run, each alone, gave what they gave in the pass.

    Args:
        taken: The pass.
        outputs: What parts gave, layer by layer; by their names in GIVEN.
    """
    for index, calls in enumerate(taken.layers):
        for name in outputs:
            found, expected = GIVEN[name](outputs[name][index], calls)
            error = float((found.double() - expected.double()).norm() / expected.double().norm())
            assert error < ERROR_BOUNDS[taken.model.dtype], f"{name}, layer {index}: relative error {error:.1e}"
