"""Layers: where a decoder's time goes, part by part, and how that moves with the specialization of the experts.

The arm is one pass of the decoder: the prompt's (vision tower and projector are bench_vision's) or one cached step.
Arms named arm/part run one part of that pass in all layers in turn, on what it was really given: "layers" whole ones,
and what they are made of; they explain and are not judged. `python -m bench.harness layers` shows whether the parts add
up, and what routing did beside them.
"""

from typing import Any

import pytest
import torch

from bench.floors import depth_facts
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from bench.layers.parts import part_costs, parts_of
from bench.layers.passes import PHASES, Pass
from bench.layers.routing_facts import routing_facts
from fixtures.inputs import Inputs
from fixtures.models import Twins

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
    profile = twins["moe"].model.language_model.routing_profile
    facts = routing_facts(passes["moe"], inputs.tensors, profile)
    outputs: dict[str, Any] = paired.measure(
        lambda name: calls[name](),
        arms=calls,
        metric=LATENCY,
        anchor=prefill_anchor if phase == "prefill" else decode_anchor,
        costs={
            name: cost
            for arm, taken in passes.items()
            for name, cost in _costs(arm, taken, inputs, facts["distinct_experts"]).items()
        },
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={**facts, **depth_facts(twins)},
    )
    for arm, taken in passes.items():
        assert torch.isfinite(outputs[arm]).all()
        check_parts(taken, {name.removeprefix(f"{arm}/"): output for name, output in outputs.items()})


def _costs(arm: str, taken: Pass, inputs: Inputs, distinct: float) -> dict[str, dict[str, float]]:
    costs = part_costs(
        taken,
        batch_size=len(inputs.prompt_tokens),
        seq_len=inputs.mean_prompt_tokens,
        distinct=distinct if arm == "moe" else None,
    )
    return {f"{arm}/{part}" if part else arm: cost for part, cost in costs.items()}


def check_parts(taken: Pass, outputs: dict[str, Any]) -> None:
    """Check that the parts, each run alone, gave what they gave in the pass, and that nothing is left out of them."""
    ffn = "experts" if taken.step_ids else "ffn"
    for index, calls in enumerate(taken.layers):
        after_BSH = calls["layer"].output.hidden_BSH
        pairs = {
            "layers": (outputs["layers"][index].hidden_BSH, after_BSH),
            "norms": (outputs["norms"][index], after_BSH),
            "attention": (outputs["attention"][index][0], calls["attention"].output[0]),
            ffn: (outputs[ffn][index], calls[ffn].output),
        }
        if taken.step_ids:
            pairs["combine"] = (outputs["combine"][index], calls["experts"].output)
        for name, (found, expected) in pairs.items():
            error = float((found.double() - expected.double()).norm() / expected.double().norm())
            assert error < ERROR_BOUNDS[taken.model.dtype], f"{name}, layer {index}: relative error {error:.1e}"
