"""Decode against transformers' generate(): time per output token over the same tensors, once the prompt is cached.

Six arms take their time, so `pytest bench` leaves this file out (it is not named bench_*): run it by its name.

A run is one call of either loop, with whatever it does before its first step; NUM_DECODE_STEPS tokens make that small.
"""

import pytest
import torch

from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT
from bench.harness.paired import Paired
from bench.kernels import decode_kernels
from bench.peers.steps import ContinuedGenerate
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle
from fixtures.oracle.model import transformers_model

NUM_DECODE_STEPS = 32  # a run long enough that what generate() does before its first step hardly shows
PEERS = (("grouped_mm", "dynamic"), ("eager", "dynamic"), ("grouped_mm", "static"), ("batched_mm", "dynamic"))


@pytest.mark.defaults(seq_len=[256])
@torch.inference_mode()
def bench_decode_peers(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode greedily from the same cache length; transformers' arms are a yardstick that is never judged."""
    ours = Decoding(twins, inputs, num_steps=NUM_DECODE_STEPS)
    peers = {
        f"transformers/{backend}-{cache}": ContinuedGenerate(
            transformers_model(twins["moe"], backend), inputs, cache=cache, num_steps=NUM_DECODE_STEPS
        )
        for backend, cache in PEERS
    }

    def decode(arm: str) -> torch.Tensor:
        return peers[arm]() if arm in peers else ours(arm).tokens_BN

    distinct = mean_distinct_experts(twins["moe"], lambda: ours.plainly("moe"))
    costs = costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct)
    checks = checks_of(oracle, twins, inputs)
    of_ours = ours.check(checks)
    tokens = paired.measure(
        decode,
        arms=[*twins, *peers],
        check=lambda arm: checks.tokens(decode(arm), "moe", arm, first=1) if arm in peers else of_ours(arm),
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        costs=costs | dict.fromkeys(peers, costs["moe"]),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=ours.paths,
        kernels=decode_kernels(twins, batch_size),
    )
    for arm, tokens_BN in tokens.items():
        assert tokens_BN.shape == (batch_size, NUM_DECODE_STEPS), arm
