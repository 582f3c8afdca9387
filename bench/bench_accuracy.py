"""Accuracy: what the shipped trained twins answer, by the official rules; and their throughput on the same samples.

Accuracy is counted, not timed: the same pictures every time, so an answer that changes is a change of the code. The
MoE arm is the plain MoE; the others are trained twins too, each with weights of its own. They are small whatever the
scale of the other scenarios.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
import torch

import moevlm
from bench.accuracy import ALL, accuracy_interval, difference_interval, score_pictures
from bench.checks.passes import PassChecks
from bench.gate.shares import facts_of
from bench.harness.arms import PRIMARY
from bench.harness.metrics import METRICS, TTFT
from bench.harness.paired import Paired
from fixtures.options import ScenarioOptions
from fixtures.oracle.keeper import Oracle
from fixtures.tasks.procedural import TASKS, Task
from fixtures.training.answers import answers, held_out_pictures, prompt_batch, requests_of
from fixtures.training.shipped import SHIPPED_SIZES, SHIPPED_VARIANTS, load_shipped, read_card
from fixtures.training.tokens import Lexicon

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM

NUM_PICTURES = 8  # about 80 questions a task: one answer is 1 or 2 % of the score, the tolerance 5 %
BATCH_SIZE = 8  # requests whose prefill is timed
ANCHOR = "dispatch"  # at this size calls outweigh what they start
ARMS = {variant.replace("plain", "moe"): variant for variant in SHIPPED_VARIANTS}


@pytest.fixture(params=list(SHIPPED_SIZES))
def task(request: pytest.FixtureRequest) -> Task:
    """Return a task that twins ship for."""
    return TASKS[request.param]


@pytest.fixture
def trained(task: Task, options: ScenarioOptions) -> Mapping[str, MoEVLM]:
    """Return the shipped twins of the task by arm."""
    return {
        arm: load_shipped(task.name, variant, device=options.device, dtype=options.dtype)
        for arm, variant in ARMS.items()
    }


def bench_accuracy(paired: Paired, trained: Mapping[str, MoEVLM], task: Task) -> None:
    """Answer every question about the pictures; the score of half an answer stands for none, as records hold ratios."""
    pictures, lexicon = held_out_pictures(task, NUM_PICTURES), Lexicon(task)
    requests = requests_of(pictures)
    points = {
        arm: score_pictures(task, pictures, answers(model, lexicon, requests))[ALL] for arm, model in trained.items()
    }
    leads = {arm: difference_interval(scored, points[PRIMARY]) for arm, scored in points.items() if arm != PRIMARY}
    levels = {arm: accuracy_interval(scored) for arm, scored in points.items()}
    values = paired.observe(
        lambda arm: max(float(points[arm].sums.sum()), 0.5) / points[arm].num_samples,
        arms=trained,
        metric=METRICS["accuracy"],
        hashes={"workload": workload_hash(task, prompt_batch(lexicon, requests, trained[PRIMARY]))},
        facts={"num_questions": len(requests), **facts_of(levels, leads)},
    )
    assert all(0 < value <= 1 for value in values.values())


def bench_trained_prefill(paired: Paired, trained: Mapping[str, MoEVLM], task: Task, oracle: Oracle) -> None:
    """Run the prompts of the first requests: their time to first token, and requests and prompt tokens a second."""
    requests = requests_of(held_out_pictures(task, NUM_PICTURES))[:BATCH_SIZE]
    inputs = prompt_batch(Lexicon(task), requests, trained["moe"])
    num_tokens = int(inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).sum())

    def first_token(arm: str) -> DecodeState:
        return moevlm.prefill(trained[arm], inputs, max_new_tokens=1)

    batch = workload_hash(task, inputs)
    checks = PassChecks(oracle=oracle, models=trained, tensors=inputs, images_per_row=[1] * BATCH_SIZE, hash=batch)
    states = paired.measure(
        first_token,
        arms=trained,
        check=checks.prompt(first_token),
        metric=TTFT,
        anchor=ANCHOR,
        rates={"prefill_tok_per_s": num_tokens, "req_per_s": BATCH_SIZE},
        hashes={"workload": batch},
    )
    for state in states.values():
        assert torch.isfinite(state.logits_BV).all()


def workload_hash(task: Task, inputs: Mapping[str, torch.Tensor]) -> str:
    """Return the digest of prompts, pixels and weights: other ones are another scenario."""
    digest = hashlib.sha256()
    for variant in SHIPPED_VARIANTS:
        digest.update(read_card(task.name, variant)["weights_sha256"].encode())
    for name, tensor in sorted(inputs.items()):
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
