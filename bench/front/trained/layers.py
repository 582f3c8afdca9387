"""Time of a trained twin's decoder layers in a batch's prefill and in its first decode step, twins taking turns."""

import random
from collections.abc import Callable, Mapping, Sequence

import torch

from bench.gate.stats import Interval, median_interval
from bench.harness.blocks import WARMUP_BLOCKS, balanced_orders
from bench.harness.clock import Clock
from bench.layers.parts import whole_layers
from bench.layers.passes import PHASES
from fixtures.training.answers import Request, prompt_batch
from fixtures.training.tokens import Lexicon
from moevlm.model.vision_language import MoEVLM


@torch.inference_mode()
def measure_layers(
    models: Mapping[str, MoEVLM], lexicon: Lexicon, requests: Sequence[Request], clock: Clock, *, num_blocks: int
) -> dict[str, dict[str, Interval]]:
    """Measure the layers of every model on what they were given, in blocks that run each once.

    Returns:
        By model and phase, "prefill" or "decode": seconds of a layer, the mean over layers of the median over blocks,
        with its 95 % interval of this one launch.
    """
    batch = prompt_batch(lexicon, requests, next(iter(models.values())))
    passes = {f"{name} {phase}": PHASES[phase](model, batch) for name, model in models.items() for phase in PHASES}
    calls: dict[str, Callable[[], object]] = {key: whole_layers(taken) for key, taken in passes.items()}
    samples: dict[str, list[float]] = {key: [] for key in calls}
    for order in balanced_orders(list(calls), WARMUP_BLOCKS + num_blocks, random.Random(0)):
        for key in order:
            samples[key].append(clock.measure(calls[key]).seconds / len(passes[key].layers))
    return {
        name: {phase: median_interval(samples[f"{name} {phase}"][WARMUP_BLOCKS:]) for phase in PHASES}
        for name in models
    }
