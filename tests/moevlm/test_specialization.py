"""Tests of what is read off a forward pass's routing."""

from collections.abc import Callable
from typing import Any

import torch

from moevlm import MoEVLM, RoutingProfile, apply_profile
from moevlm.costs import expected_distinct_experts
from moevlm.specialization import distinct_experts, recorded_routing

Make = Callable[..., Any]


def test_distinct_experts_counts_each_once() -> None:
    assert distinct_experts(torch.tensor([[7, 1], [1, 7], [2, 1]])) == len({7, 1, 2})


def test_routing_of_every_layer_is_recorded_in_order(make_model: Make) -> None:
    model: MoEVLM = make_model()
    tokens = torch.arange(10, 20)[None]
    with recorded_routing(model) as ids:
        model(input_ids=tokens)
    text = model.config.text_config
    assert [tuple(layer.shape) for layer in ids] == [(10, text.num_experts_per_tok)] * text.num_hidden_layers


def test_nothing_is_recorded_after_the_block(make_model: Make) -> None:
    model: MoEVLM = make_model()
    with recorded_routing(model) as ids:
        pass
    model(input_ids=torch.arange(10, 14)[None])
    assert ids == []


def test_uniform_profile_hits_the_expected_number_of_experts(make_model: Make) -> None:
    model: MoEVLM = make_model(num_experts=32, num_experts_per_tok=2)
    counts = []
    for seed in range(12):
        apply_profile(model, RoutingProfile(name="uniform", seed=seed))
        with recorded_routing(model) as ids:
            model(input_ids=torch.arange(10, 18)[None])
        counts += [distinct_experts(layer) for layer in ids]
    expected = expected_distinct_experts(32, 2, 8)  # 32 * (1 - (30/32)**8) = 12.9
    assert abs(sum(counts) / len(counts) - expected) < 1.0
