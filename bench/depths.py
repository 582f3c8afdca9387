"""Depths of a model as arms of one block: what a line through two of them says of the whole, from paired times.

Models cut to 2 and 4 layers stand beside the built one, over the same weights. Where that is whole, the record tells
how far off the line is; where it has 4 layers (`--depth 4`), the page of answers extrapolates along the line. Six arms
take their time, so `pytest bench` leaves this file out (it is not named bench_*): run it by its name.
"""

import pytest
import torch

import moevlm
from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.depths import depth_arm
from bench.harness.metrics import TPOT, TTFT
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle
from fixtures.slicing import sliced_twin
from moevlm import DecodeState

NUM_DECODE_STEPS = 4  # as bench_decode
DEPTHS = (2, 4)  # that carry the line
TOO_FEW = "a line needs {most} layers, {depth} are built; give more as --depth"
UNLIKE = "arms of a line must take one path, got {paths}; mend what keeps one from the others'"


@pytest.mark.defaults(seq_len=[640])
@pytest.mark.parametrize("phase", ["decode", "prefill"])
def bench_depths(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    prefill_anchor: str,
    batch_size: int,
    seq_len: int | str,
    phase: str,
) -> None:
    """Run one phase of the built models and of their first layers."""
    assert twins.depth >= max(DEPTHS), TOO_FEW.format(most=max(DEPTHS), depth=twins.depth)
    depths = [depth for depth in DEPTHS if depth < twins.depth]
    sliced = {depth_arm(arm, depth): sliced_twin(twins[arm], depth) for arm in twins for depth in depths}
    models, checks = {**twins, **sliced}, checks_of(oracle, {**twins, **sliced}, inputs)
    decode = Decoding(models, inputs, num_steps=NUM_DECODE_STEPS)

    def first_token(arm: str) -> DecodeState:
        return moevlm.prefill(models[arm], inputs.tensors, max_new_tokens=1)

    assert len(set(decode.paths.values())) == 1, UNLIKE.format(paths=decode.paths)
    is_decode = phase == "decode"
    call = decode if is_decode else first_token
    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe") if is_decode else first_token("moe"))
    load = {"batch_size": batch_size, "seq_len": inputs.mean_prompt_tokens, "num_tiles": inputs.num_tiles}
    cut = {depth: {arm: sliced[depth_arm(arm, depth)] for arm in twins} for depth in depths}
    costs = {
        depth_arm(arm, depth): work
        for depth, of_depth in cut.items()
        for arm, work in costs_of(Twins(twins.preset, of_depth), phase, **load, distinct=distinct).items()
    }
    ended = paired.measure(
        call,
        arms=models,
        check=decode.check(checks) if is_decode else checks.prompt(first_token),
        metric=TPOT if is_decode else TTFT,
        anchor=decode_anchor if is_decode else prefill_anchor,
        num_units=NUM_DECODE_STEPS if is_decode else 1,
        rates={"output_tok_per_s": batch_size} if is_decode else {"prefill_tok_per_s": inputs.num_prompt_tokens},
        costs=costs_of(twins, phase, **load, distinct=distinct) | costs,
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=decode.paths if is_decode else None,
    )
    assert all(torch.isfinite(state.logits_BV).all() for state in ended.values())
