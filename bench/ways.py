"""Is each arm compared at its best? The way that it goes beside every other way through the code, in the same blocks.

An arm that is slower than it need be makes a ratio of two models a lie. Alternatives are arms named by way and model,
"products/dense": `modules` decodes by the layers' modules, `kernels`, `products` and `blocks` compute each feed-forward
so. Many arms take their time, so `pytest bench` leaves this file out (it is not named bench_*): run it by its name, and
`python -m bench fairness` on its records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

import moevlm
from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.harness.answers import Answer, Check
from bench.harness.arms import PEER
from bench.harness.metrics import TPOT, TTFT
from bench.harness.paired import Paired
from bench.kernels import decode_kernels, prefill_kernels
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle
from moevlm.generation import FUSED, MODULES
from moevlm.kernels.cpu.way import forced
from moevlm.kernels.cpu.way_timing import DENSE, EXPERTS, ways_of
from moevlm.model.feedforward import MoEVLMDenseMLP

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM

NUM_DECODE_STEPS = 4


def bench_ways_decode(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode greedily, each way from the same cache."""
    decode, checks = Decoding(twins, inputs, num_steps=NUM_DECODE_STEPS), checks_of(oracle, twins, inputs)
    kernels, paths = decode_kernels(twins, batch_size), decode.paths
    modules = [MODULES] if FUSED in paths.values() else []
    others = {arm: [*modules, *_others(model, kernels[arm])] for arm, model in twins.items()}

    def steps(arm: str) -> DecodeState:
        way, _, model = arm.rpartition(PEER)
        if way == MODULES:
            return moevlm.decode_steps(twins[model], decode.states[model], num_steps=NUM_DECODE_STEPS, by_modules=True)
        with _going(way):
            return decode(model)

    def check(arm: str) -> None:
        model = arm.rpartition(PEER)[2]
        tokens_BN = torch.cat([decode.states[model].next_token_B1, steps(arm).tokens_BN], dim=1)
        checks.tokens(tokens_BN, model, arm)  # with the prompt's: where that is a near-tie, another may go on

    paired.measure(
        steps,
        arms=[*twins, *_named(others)],
        check=_either(decode.check(checks), check),
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        hashes={"workload": inputs.hash, "routing": routing_hash},
        paths=paths,
        kernels=kernels,
    )


def bench_ways_prefill(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    prefill_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Read the prompt once, each way into an empty cache."""
    checks, kernels = checks_of(oracle, twins, inputs), prefill_kernels(twins, inputs)

    def first_token(arm: str) -> DecodeState:
        way, _, model = arm.rpartition(PEER)
        with _going(way):
            return moevlm.prefill(twins[model], inputs.tensors, max_new_tokens=1)

    def check(arm: str) -> None:
        checks.tokens(first_token(arm).next_token_B1, arm.rpartition(PEER)[2], arm)

    paired.measure(
        first_token,
        arms=[*twins, *_named({arm: _others(model, kernels[arm]) for arm, model in twins.items()})],
        check=_either(checks.prompt(first_token), check),
        metric=TTFT,
        anchor=prefill_anchor,
        rates={"prefill_tok_per_s": inputs.num_prompt_tokens, "req_per_s": batch_size},
        hashes={"workload": inputs.hash, "routing": routing_hash},
        kernels=kernels,
    )


def _others(model: MoEVLM, chosen: str) -> list[str]:
    """Return the ways of a model's feed-forward beside the one that this machine chose."""
    mlp = model.model.language_model.layers[0].mlp
    of_blocks = isinstance(mlp, MoEVLMDenseMLP)
    ways = ways_of(DENSE, len(mlp.down)) if of_blocks else ways_of(EXPERTS, mlp.experts.num_experts)
    return [way for way in ways if way != chosen]


def _named(ways: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{way}{PEER}{arm}" for arm, others in ways.items() for way in others]


def _going(way: str) -> AbstractContextManager[None]:
    return forced(way) if way else nullcontext()


def _either(of_ours: Check, of_others: Check) -> Check:
    """Return a check that knows our arms, as they go, from the others."""

    def check(arm: str) -> Answer | None:
        return of_others(arm) if PEER in arm else of_ours(arm)

    return check
