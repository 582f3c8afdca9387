"""Throughput of trained twins on the same requests, interleaved in random balanced order outside of pytest."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bench.gate.stats import Interval, median_interval
from bench.harness.blocks import WARMUP_BLOCKS, balanced_orders
from bench.harness.clock import Clock
from fixtures.training.answers import Request, prompt_batch
from fixtures.training.tokens import Lexicon
from moevlm.generation import answer
from moevlm.model.vision_language import MoEVLM


def measure_throughput(
    models: Mapping[str, MoEVLM], lexicon: Lexicon, requests: Sequence[Request], clock: Clock, *, num_blocks: int
) -> dict[str, dict[str, Interval]]:
    """Measure one batch of requests on every model, in blocks that run each once.

    Returns:
        By model: "req_per_s", from pixels to the last answer token, and "prefill_tok_per_s", prompt tokens with image
        tokens until the first; medians over blocks with 95 % intervals of this one launch.
    """
    batch = prompt_batch(lexicon, requests, next(iter(models.values())))
    num_tokens = float(batch.get("attention_mask", batch["input_ids"] >= 0).sum())
    calls: dict[str, Callable[[], object]] = {}
    for name, model in models.items():
        for phase, max_new_tokens in (("prefill", 1), ("answer", lexicon.num_new_tokens)):
            calls[f"{name} {phase}"] = partial(answer, model, batch, max_new_tokens=max_new_tokens)
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for order in balanced_orders(list(calls), WARMUP_BLOCKS + num_blocks, random.Random(0)):
        for name in order:
            samples[name].append(clock.measure(calls[name]).seconds)
    return {
        name: {
            "req_per_s": rate(len(requests), samples[f"{name} answer"][WARMUP_BLOCKS:]),
            "prefill_tok_per_s": rate(num_tokens, samples[f"{name} prefill"][WARMUP_BLOCKS:]),
        }
        for name in models
    }


def rate(quantity: float, seconds: Sequence[float]) -> Interval:
    """Return a quantity per second at the median of some times, with the interval that the median has.

    >>> rate(6.0, [1.0, 2.0, 3.0])
    Interval(estimate=3.0, low=2.0, high=6.0)
    """
    median = median_interval(seconds)
    return Interval(quantity / median.estimate, quantity / median.high, quantity / median.low)
