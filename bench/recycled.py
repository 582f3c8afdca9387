"""Recycled layers against whole models: what it changes that all layers use the large weights of a few in turn.

Whole and recycled models, the MoE and its twin, stand in one block over the same weights, so that no more memory is
needed than for the whole pair. Six arms take their time, so `pytest bench` leaves this file out (it is not named
bench_*): run it by its name. `python -m bench report RECORD` prints the bias of each arm.
"""

import pytest
import torch

import moevlm
from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT, TTFT
from bench.harness.paired import Paired
from bench.harness.recycled import recycled_arm
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle
from fixtures.recycling import recycled_twin
from moevlm import DecodeState

NUM_DECODE_STEPS = 4  # as bench_decode
NUMBERS = (2, 4)  # of distinct layers
TOO_FEW = "recycled layers are compared with more layers of their own, {depth} are built; give more as --depth"


@pytest.mark.defaults(seq_len=[640])
@pytest.mark.parametrize("phase", ["decode", "prefill"])
def bench_recycled(
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
    """Run one phase of whole models and of those that recycle their layers."""
    numbers = [number for number in NUMBERS if number < twins.depth]
    assert numbers, TOO_FEW.format(depth=twins.depth)
    assert twins.distinct_layers is None, "--distinct-layers is for whole scenarios; leave it out"
    recycled = {recycled_arm(arm, number): recycled_twin(twins[arm], number) for arm in twins for number in numbers}
    models, checks = {**twins, **recycled}, checks_of(oracle, {**twins, **recycled}, inputs)
    decode = Decoding(models, inputs, num_steps=NUM_DECODE_STEPS)

    def first_token(arm: str) -> DecodeState:
        return moevlm.prefill(models[arm], inputs.tensors, max_new_tokens=1)

    is_decode = phase == "decode"
    call = decode if is_decode else first_token
    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe") if is_decode else first_token("moe"))
    load = {"batch_size": batch_size, "seq_len": inputs.mean_prompt_tokens, "num_tiles": inputs.num_tiles}
    costs = costs_of(twins, phase, **load, distinct=distinct)
    ended = paired.measure(
        call,
        arms=models,
        check=decode.check(checks) if is_decode else checks.prompt(first_token),
        metric=TPOT if is_decode else TTFT,
        anchor=decode_anchor if is_decode else prefill_anchor,
        num_units=NUM_DECODE_STEPS if is_decode else 1,
        costs=costs | {recycled_arm(arm, number): costs[arm] for arm in twins for number in numbers},
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=decode.paths if is_decode else None,
    )
    assert all(torch.isfinite(state.logits_BV).all() for state in ended.values())
