"""Prefill: time to first token (TTFT) of a batch, from pixels and token ids to the first chosen token.

The clock covers the vision tower, the projector and one pass of the decoder over the whole prompt, in chunks of samples
where a feed-forward layer's tensors would pass `moevlm.generation.prefill.CHUNK_BYTES`, as a server would. Under
`--routing weights` the decoders of other engines that are installed read the same prompts beside ours, over the same
weights; images are encoded by our tower.
"""

import pytest
import torch

import moevlm
from bench.checks.passes import checks_of
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TTFT
from bench.harness.paired import Paired
from bench.kernels import prefill_kernels
from bench.peers.decoders import peer_arms
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle


@pytest.mark.timed(prefill=1)
def bench_prefill(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    prefill_anchor: str,
    peers: tuple[str, ...],
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Run the prompt once; every round starts from an empty cache."""

    def first_token(arm: str) -> moevlm.DecodeState:
        return moevlm.prefill(twins[arm], inputs.tensors, max_new_tokens=1)

    distinct = mean_distinct_experts(twins["moe"], lambda: first_token("moe"))
    checks, theirs = checks_of(oracle, twins, inputs), peer_arms(peers, twins, inputs, room=1)
    costs = costs_of(
        twins,
        "prefill",
        batch_size=batch_size,
        seq_len=inputs.mean_prompt_tokens,
        num_tiles=inputs.num_tiles,
        distinct=distinct,
    )
    states = paired.measure(
        theirs.beside(first_token, lambda arm: theirs[arm].answer(1)),
        arms=[*twins, *theirs],
        check=theirs.beside(checks.prompt(first_token), lambda arm: theirs[arm].check(checks, 1)),
        metric=TTFT,
        anchor=prefill_anchor,
        rates={"prefill_tok_per_s": inputs.num_prompt_tokens, "req_per_s": batch_size},
        costs=theirs.costs(costs),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={
            "num_image_tokens": inputs.num_image_tokens,
            "distinct_experts": distinct,
            **depth_facts(twins),
            **theirs.facts,
        },
        kernels=prefill_kernels(twins, inputs),
    )
    for arm in theirs:
        assert states[arm].shape == (batch_size, 1)
    for arm in twins:
        assert states[arm].length == inputs.tensors["input_ids"].shape[1]
        assert torch.isfinite(states[arm].logits_BV).all()
