"""Generate: a batch of requests from pixels to the last output token (end to end), greedy.

Short-answer tasks are prefill workloads (a few tokens out): what counts is requests/s, and total tokens/s, in which the
prompt's tokens count with its image tokens. transformers' own model answers too, over the MoE's tensors, through its
generate(): a yardstick that is never judged. Our models' generate() is checked as well, though it is not timed. Under
`--routing weights` so do the decoders of other engines that are installed, after our vision tower.
"""

from typing import Any

import pytest
import torch

import moevlm
from bench.checks.operators import check_operators
from bench.checks.passes import checks_of
from bench.floors import answer_costs, depth_facts
from bench.harness.answers import Answer
from bench.harness.metrics import E2E
from bench.harness.paired import Paired
from bench.kernels import answer_kernels
from bench.peers.decoders import peer_arms
from fixtures.inputs import Inputs
from fixtures.least_work import ANSWERED
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle

PEER = "transformers/generate"
PEER_BACKEND = "grouped_mm"  # their fastest for whole answers (measured: docs/performance.md)


@pytest.mark.timed(prefill=1, decode=ANSWERED)
@pytest.mark.defaults(workload=["mathvista", "docvqa"], seq_len=["natural"])
def bench_generate(
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
    """Answer every request of the batch with the workload's median number of tokens."""
    from fixtures.oracle.model import transformers_model
    from moevlm.generation import answer, decode_path

    num_output_tokens = inputs.num_output_tokens
    has_backend = twins["moe"].dtype is not torch.float64  # grouped_mm has none
    generating = {PEER: transformers_model(twins["moe"], PEER_BACKEND)} if has_backend else {}
    theirs = peer_arms(peers, twins, inputs, room=num_output_tokens)

    def answered(arm: str) -> torch.Tensor:
        if arm in generating:
            return generated(generating[arm], inputs)
        return answer(twins[arm], inputs.tensors, max_new_tokens=num_output_tokens)

    num_text_tokens = inputs.num_prompt_tokens - inputs.num_image_tokens
    output_tokens = batch_size * num_output_tokens
    costs = answer_costs(twins, inputs)
    checks = checks_of(oracle, twins, inputs)
    of_ours = checks.answer([answered, lambda arm: generated(twins[arm], inputs)], num_output_tokens)

    def check(arm: str) -> Answer | None:
        if arm in generating:
            checks.tokens(answered(arm), "moe", arm)
            return None
        found = of_ours(arm)
        if num_output_tokens > 1:  # else nothing is decoded
            check_operators(twins[arm], moevlm.prefill(twins[arm], inputs.tensors, max_new_tokens=1), arm=arm)
        return found

    answers = paired.measure(
        theirs.beside(answered, lambda arm: theirs[arm].answer(num_output_tokens)),
        arms=[*twins, *generating, *theirs],
        check=theirs.beside(check, lambda arm: theirs[arm].check(checks, num_output_tokens)),
        metric=E2E,
        anchor=prefill_anchor,
        rates={
            "req_per_s": batch_size,
            "total_tok_per_s": inputs.num_prompt_tokens + output_tokens,
            "total_text_tok_per_s": num_text_tokens + output_tokens,
        },
        costs=theirs.costs(costs | dict.fromkeys(generating, costs["moe"])),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={
            "num_output_tokens": num_output_tokens,
            "num_tiles": inputs.num_tiles,
            **depth_facts(twins),
            **theirs.facts,
        },
        paths={arm: decode_path(model, batch_size) for arm, model in twins.items()},
        kernels=answer_kernels(twins, inputs),
    )
    vocab_size = twins["moe"].config.text_config.vocab_size
    for tokens in answers.values():
        assert tokens.shape == (batch_size, num_output_tokens)
        assert ((tokens >= 0) & (tokens < vocab_size)).all()


@torch.inference_mode()
def generated(model: Any, inputs: Inputs) -> torch.Tensor:
    """Answer with transformers' generate(), greedily and without an end."""
    prompt = inputs.tensors["input_ids"]
    mask = inputs.tensors.get("attention_mask", torch.ones_like(prompt))
    tokens: torch.Tensor = model.generate(
        **{**inputs.tensors, "attention_mask": mask},
        max_new_tokens=inputs.num_output_tokens,
        do_sample=False,
        eos_token_id=None,
    )
    return tokens[:, prompt.shape[1] :]
