"""Decode: time per output token (TPOT) once the prompt is in the KV cache.

The clock covers NUM_DECODE_STEPS cached steps and nothing else; prefill has produced the first token, so
elapsed / NUM_DECODE_STEPS is (e2e_s - ttft_s) / (output tokens - 1). On a GPU a step is replayed as a CUDA graph, which
is captured off the clock; a CPU runs it as it stands.
"""

import torch

from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import TPOT
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from moevlm import DecodeState, MoEVLM, StaticDecoder, decode_steps, prefill

NUM_DECODE_STEPS = 4  # enough that reading the clock does not show, few enough for many blocks


def bench_decode(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode greedily; every round starts from the same cache length."""
    decoders = {arm: captured_decoder(model, inputs) for arm, model in twins.items()}
    memories = {arm: decoder.memory if decoder else None for arm, decoder in decoders.items()}
    states = {
        arm: prefill(model, inputs.tensors, max_new_tokens=NUM_DECODE_STEPS, memory=memories[arm])
        for arm, model in twins.items()
    }

    def run_plainly(arm: str) -> DecodeState:
        return decode_steps(twins[arm], states[arm], num_steps=NUM_DECODE_STEPS)

    def decode(arm: str) -> DecodeState:
        decoder = decoders[arm]
        return decoder.decode_steps(states[arm], num_steps=NUM_DECODE_STEPS) if decoder else run_plainly(arm)

    distinct = mean_distinct_experts(twins["moe"], lambda: run_plainly("moe"))  # a graph calls no hooks
    final = paired.measure(
        decode,
        arms=twins,
        metric=TPOT,
        anchor=decode_anchor,
        num_units=NUM_DECODE_STEPS,
        rates={"output_tok_per_s": batch_size},
        costs=costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
    )
    for state in final.values():
        assert state.tokens_BN.shape == (batch_size, NUM_DECODE_STEPS)
        assert torch.isfinite(state.logits_BV).all()


def captured_decoder(model: MoEVLM, inputs: Inputs) -> StaticDecoder | None:
    """Capture the step for this batch and length where there are CUDA graphs."""
    if model.device.type != "cuda":
        return None
    batch_size, prompt_length = inputs.tensors["input_ids"].shape
    return StaticDecoder(model, batch_size=batch_size, max_length=prompt_length + NUM_DECODE_STEPS)
