"""Experts: latency of one feed-forward layer alone, by expert backend and number of tokens.

The clock covers the experts of all decoder layers in turn, each with its own weights and chosen experts, so that no layer finds its
weights in a cache because it has just run; router and attention are outside. The dense arm is the twin's MLP on the same tokens.
"""

import torch

from bench.floors import costs_of, depth_facts
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from fixtures.devices import random_hidden_states
from fixtures.models import Twins
from moevlm import EXPERT_BACKENDS, MoEVLM, set_expert_backend
from moevlm.specialization import distinct_experts


def bench_experts(
    paired: Paired, twins: Twins, routing_hash: str, decode_anchor: str, backend: str, num_tokens: int
) -> None:
    """Send `num_tokens` random tokens through the feed-forward part of every layer."""
    set_expert_backend(twins["moe"], backend)
    ...
