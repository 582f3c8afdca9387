"""Prefill: time to first token (TTFT) of a batch, from pixels and token ids to the first chosen token.

The clock covers the vision tower, the projector and one pass of the decoder over the whole prompt, in chunks of samples
where a feed-forward layer's tensors would pass `moevlm.generation.prefill.CHUNK_BYTES`, as a server would.
"""

import torch

import moevlm
from bench.checks.passes import checks_of
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TTFT
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle


def bench_prefill(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    prefill_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Run the prompt once; every round starts from an empty cache."""

    def first_token(arm: str) -> moevlm.DecodeState:
        return moevlm.prefill(twins[arm], inputs.tensors, max_new_tokens=1)

    distinct = mean_distinct_experts(twins["moe"], lambda: first_token("moe"))
    states = paired.measure(
        first_token,
        arms=twins,
        check=checks_of(oracle, twins, inputs).prompt(first_token),
        metric=TTFT,
        anchor=prefill_anchor,
        rates={"prefill_tok_per_s": inputs.num_prompt_tokens, "req_per_s": batch_size},
        costs=costs_of(
            twins,
            "prefill",
            batch_size=batch_size,
            seq_len=inputs.mean_prompt_tokens,
            num_tiles=inputs.num_tiles,
            distinct=distinct,
        ),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"num_image_tokens": inputs.num_image_tokens, "distinct_experts": distinct, **depth_facts(twins)},
    )
    for state in states.values():
        assert state.length == inputs.tensors["input_ids"].shape[1]
        assert torch.isfinite(state.logits_BV).all()
