"""Layers: where a decoder's time goes, part by part, and how that moves with the specialization of the experts.

The arm is one pass of the decoder: the prompt's (vision tower and projector are bench_vision's) or one cached step.
Arms named arm/part run one part of that pass in all layers in turn, on what it was really given: "layers" whole ones,
and what they are made of; they explain and are not judged. Where a profile steers the routing, the same layers run
under uniform routing too: what specialization changes is the ratio within a block, not between two launches.
`python -m bench layers` shows whether the parts add up, and what routing did beside them. All samples of a prompt pass
at once, whatever chunks bench_prefill takes. On a GPU a step is no graph here, as it is in bench_decode: Python starts
each operation, which its path says ("eager").
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import torch

from bench.checks.operators import check_layers
from bench.checks.passes import PassChecks, checks_of
from bench.floors import Work, depth_facts
from bench.harness.agreement import bound_of, check_rows
from bench.harness.answers import Answer
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from bench.kernels import decode_kernels, prefill_kernels
from bench.layers.parts import operators_in, part_costs, parts_of
from bench.layers.passes import PHASES, LayerCalls, Pass
from bench.layers.routing_facts import routing_facts
from bench.layers.uniform import UNIFORM, uniform_parts
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle
from moevlm.routing.profiles import RoutingProfile

GIVEN: dict[str, Callable[[Any, LayerCalls], tuple[torch.Tensor, torch.Tensor]]] = {
    # a part -> from what it gave alone and its layer's calls: the tensor to check, and what the pass gave there
    "layers": lambda output, calls: (output.hidden_BSH, calls["layer"].output.hidden_BSH),
    "router": lambda output, calls: (output.logits_TE, calls["router"].output.logits_TE),
    "norms": lambda output, calls: (output, calls["layer"].output.hidden_BSH),
    "attention": lambda output, calls: (output[0], calls["attention"].output[0]),
    "experts": lambda output, calls: (output, calls["experts"].output),
    "combine": lambda output, calls: (output, calls["experts"].output),
    "ffn": lambda output, calls: (output, calls["ffn"].output),
}


EAGER = "eager"  # the path of a step whose operations Python starts on a GPU


@pytest.mark.taken_apart
@pytest.mark.defaults(scale=["tiny"], seq_len=[128])  # twenty arms a scenario: larger ones where they are asked for
@pytest.mark.parametrize("phase", list(PHASES))
@torch.inference_mode()
def bench_layers(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
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
    checks = checks_of(oracle, {arm: taken.model for arm, taken in passes.items()}, inputs)
    outputs: dict[str, Any] = paired.measure(
        lambda name: calls[name](),
        arms=calls,
        check=lambda name: check_call(name, calls[name], passes, checks, phase),
        metric=LATENCY,
        anchor=prefill_anchor if phase == "prefill" else decode_anchor,
        costs={name: cost for arm, taken in passes.items() for name, cost in _costs(arm, taken, inputs).items()},
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={**facts, **depth_facts(twins)},
        paths={arm: path_of(taken) for arm, taken in passes.items() if arm in twins},
        kernels=prefill_kernels(twins, inputs) if phase == "prefill" else decode_kernels(twins, batch_size),
    )
    assert all(torch.isfinite(outputs[arm]).all() for arm in twins)


def path_of(taken: Pass) -> str:
    """Name a pass's way through the code."""
    from moevlm.generation import FUSED, MODULES

    is_eager = taken.phase == "decode" and taken.model.device.type == "cuda"
    return FUSED if operators_in(taken) else EAGER if is_eager else MODULES


def _costs(arm: str, taken: Pass, inputs: Inputs) -> dict[str, Work]:
    costs = part_costs(taken, batch_size=len(inputs.prompt_tokens), seq_len=inputs.mean_prompt_tokens)
    return {f"{arm}/{part}" if part else arm: cost for part, cost in costs.items()}


def check_call(
    name: str, call: Callable[[], Any], passes: Mapping[str, Pass], checks: PassChecks, phase: str
) -> Answer | None:
    """Check a whole pass by the oracle, and a part of one by what it gave in a pass of the same model.

    Returns:
        Logits of a whole pass. Parts, which are not judged, run on a pass whose near-ties nobody has settled.
    """
    arm, _, part = name.partition("/")
    answer = None
    if not part or name == f"{UNIFORM}/layers":  # of uniform routing, parts alone are timed
        answer = checks.taken(arm, partial(PHASES[phase], passes[arm].model, checks.tensors), phase)
    if part in GIVEN:
        check_part(name, call(), passes[arm])
    return answer


def check_part(name: str, outputs: Sequence[Any], taken: Pass) -> None:
    """Check that a part that was run alone gave what it gave in the pass.

    Raises:
        WrongAnswer: A layer's output is off.
    """
    part, bound = name.rpartition("/")[2], bound_of(taken.model.dtype)
    if part == "layers" and operators_in(taken):
        check_layers(outputs, taken.layers, bound=bound, what=name)
        return
    of_output = GIVEN[part]
    for index, (output, calls) in enumerate(zip(outputs, taken.layers, strict=True)):
        found, expected = (rows.flatten(0, -2) for rows in of_output(output, calls))
        what = f"{name} of layer {index}"
        check_rows(found, expected, bound=bound, what=what, place=lambda token: f"token {token}")
