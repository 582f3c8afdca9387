"""Decode: time per output token (TPOT) once the prompt is in the KV cache.

The clock covers NUM_DECODE_STEPS cached steps and nothing else; prefill has produced the first token, so
elapsed / NUM_DECODE_STEPS is (e2e_s - ttft_s) / (output tokens - 1). Under `--routing weights` other engines that are
installed decode on beside ours, from the same prompts and over the same weights.
"""

import pytest
import torch

from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT
from bench.harness.paired import Paired
from bench.kernels import decode_kernels
from bench.peers.decoders import peer_arms
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle

NUM_DECODE_STEPS = 4  # enough that reading the clock does not show, few enough for many blocks


@pytest.mark.timed(decode=NUM_DECODE_STEPS)
def bench_decode(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    peers: tuple[str, ...],
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode greedily; every round starts from the same cache length."""
    decode = Decoding(twins, inputs, num_steps=NUM_DECODE_STEPS)
    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe"))
    checks, theirs = checks_of(oracle, twins, inputs), peer_arms(peers, twins, inputs, room=1 + NUM_DECODE_STEPS)
    going_on = {arm: peer.decoding(NUM_DECODE_STEPS) for arm, peer in theirs.items()}
    costs = costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct)
    final = paired.measure(
        theirs.beside(decode, lambda arm: going_on[arm]()),
        arms=[*twins, *theirs],
        check=theirs.beside(decode.check(checks), lambda arm: theirs[arm].check(checks, 1 + NUM_DECODE_STEPS)),
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        costs=theirs.costs(costs),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins), **theirs.facts},
        paths=decode.paths,
        kernels=decode_kernels(twins, batch_size),
    )
    for arm in theirs:
        assert final[arm].shape == (batch_size, NUM_DECODE_STEPS)
    for arm in twins:
        assert final[arm].tokens_BN.shape == (batch_size, NUM_DECODE_STEPS)
        assert torch.isfinite(final[arm].logits_BV).all()
