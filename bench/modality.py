"""Modality scores: what SMoES adds to an inference, with scores off and on, beside the plain MoE of the same weights.

Four models take their time, so `pytest bench` leaves this file out (it is not named bench_*): run it by its name.

Arms: "off" is configured for SMoES and scores nothing; "attention" and "gaussian" score every token at every layer.
"""

import pytest
import torch

from bench.checks.passes import checks_of
from bench.harness.answers import Answer
from bench.harness.metrics import TPOT, TTFT
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins, specialized_twin
from fixtures.oracle.keeper import Oracle
from moevlm import DecodeState, decode_steps, prefill
from moevlm.generation import MODULES
from moevlm.routing.observation import LayerRouting

NUM_DECODE_STEPS = 4  # as bench_decode
SCORED_ARMS = ("attention", "gaussian")


@pytest.mark.defaults(seq_len=[256])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def bench_modality(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    prefill_anchor: str,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
    phase: str,
) -> None:
    """Run one phase with and without scores; all arms share their weights and routing."""
    moe = twins["moe"]
    models = {"moe": moe, "off": specialized_twin(moe, "smoes-attention")}
    models |= {arm: specialized_twin(moe, f"smoes-{arm}") for arm in SCORED_ARMS}
    records: dict[str, list[LayerRouting] | None] = dict.fromkeys(models)

    def start(arm: str) -> DecodeState:
        records[arm] = [] if arm in SCORED_ARMS else None
        return prefill(models[arm], inputs.tensors, max_new_tokens=NUM_DECODE_STEPS, routing_record=records[arm])

    states = {arm: start(arm) for arm in models}

    def decode(arm: str) -> DecodeState:
        records[arm] = [] if arm in SCORED_ARMS else None
        record = records[arm]  # which asks for the modules: all arms call them
        return decode_steps(
            models[arm], states[arm], num_steps=NUM_DECODE_STEPS, routing_record=record, by_modules=True
        )

    checks = checks_of(oracle, models, inputs)
    is_prefill = phase == "prefill"

    def check(arm: str) -> Answer:
        said = checks.says(arm, 1 + NUM_DECODE_STEPS)
        prompt = checks.passes(arm, lambda: states.update({arm: start(arm)}), said[:1])
        return prompt if is_prefill else checks.passes(arm, lambda: decode(arm), said[1:], first=1)

    ended = paired.measure(
        start if is_prefill else decode,
        arms=models,
        check=check,
        metric=TTFT if is_prefill else TPOT,
        anchor=prefill_anchor if is_prefill else decode_anchor,
        num_units=1 if is_prefill else NUM_DECODE_STEPS,
        hashes={"workload": inputs.hash, "routing": routing_hash},
        paths=dict.fromkeys(models, MODULES),
    )
    for arm in SCORED_ARMS:
        assert torch.isfinite(ended[arm].logits_BV).all()
        for routing in records[arm] or ():
            assert ((routing.scores_BS >= 0) & (routing.scores_BS <= 1)).all()
        assert len(records[arm] or ()) == len(moe.model.language_model.layers) * (1 if is_prefill else NUM_DECODE_STEPS)
