"""Decode from a drawn context: time per output token where the prompts of a batch take hours to read.

As bench_decode, but that keys and values in the cache are drawn: a step reads as many bytes and computes as much, and
is checked with transformers' own model going on from the same cache. For grids of batch and length on a CPU, so
`pytest bench` leaves this file out (it is not named bench_*): run it by its name. Prompts have one length.
"""

from typing import TYPE_CHECKING

import pytest
import torch

from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT
from bench.harness.paired import Paired
from fixtures.drawn_context import continuing, drawn_state
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle

if TYPE_CHECKING:
    from bench.harness.answers import Answer

NUM_DECODE_STEPS = 4  # as bench_decode


@pytest.mark.timed(decode=NUM_DECODE_STEPS)
@pytest.mark.drawn_context
def bench_drawn_decode(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode greedily; every round starts from the same cache length."""
    decode = Decoding(twins, inputs, num_steps=NUM_DECODE_STEPS, begin=drawn_state)
    checks = checks_of(oracle, twins, inputs)

    def check(arm: str) -> "Answer":
        state, steps = decode.states[arm], {"number": checks.number, "num_steps": NUM_DECODE_STEPS}
        said = continuing(twins[arm], state, **steps)
        return checks.passes(arm, lambda: decode.as_it_stands(arm, state, NUM_DECODE_STEPS), said, first=1)

    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe"))
    ended = paired.measure(
        decode,
        arms=twins,
        check=decode.checked(checks, check),
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        costs=costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=decode.paths,
    )
    for state in ended.values():
        assert state.tokens_BN.shape == (batch_size, NUM_DECODE_STEPS)
        assert torch.isfinite(state.logits_BV).all()
