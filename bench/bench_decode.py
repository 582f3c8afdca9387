"""Decode: time per output token (TPOT) once the prompt is in the KV cache.

The clock covers NUM_DECODE_STEPS cached steps and nothing else; prefill has produced the first token, so
elapsed / NUM_DECODE_STEPS is (e2e_s - ttft_s) / (output tokens - 1).
"""

import torch

from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle

NUM_DECODE_STEPS = 4  # enough that reading the clock does not show, few enough for many blocks


def bench_decode(
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
    decode = Decoding(twins, inputs, num_steps=NUM_DECODE_STEPS)
    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe"))
    final = paired.measure(
        decode,
        arms=twins,
        check=decode.check(checks_of(oracle, twins, inputs)),
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        costs=costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=decode.paths,
    )
    for state in final.values():
        assert state.tokens_BN.shape == (batch_size, NUM_DECODE_STEPS)
        assert torch.isfinite(state.logits_BV).all()
