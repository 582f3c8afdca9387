"""Tests of the closed forms: against every possible choice, and against routing drawn at random."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nchypergeom_wallenius

from moevlm.costs import expected_distinct_experts
from moevlm.steering.expected_routing import (
    expected_home_choices,
    specialized_cross_device_rate,
    specialized_distinct_experts,
    strength_for_rate,
    uniform_remote_devices,
)


@pytest.mark.parametrize(
    ("num_experts", "top_k", "num_devices"), [(6, 2, 2), (8, 3, 4), (6, 4, 3), (4, 4, 2), (5, 2, 1)]
)
def test_uniform_routing_is_the_mean_over_all_choices(num_experts: int, top_k: int, num_devices: int) -> None:
    every_TK = torch.tensor(list(itertools.combinations(range(num_experts), top_k)))
    devices_E = torch.arange(num_experts) // (num_experts // num_devices)
    sent = [len({device for device in devices_E[ids].tolist() if device != 0}) for ids in every_TK]
    mean = sum(sent) / len(sent)
    assert uniform_remote_devices(num_experts, top_k, num_devices) == pytest.approx(mean)


def test_the_published_setting_of_uniform_routing_crosses_for_998_tokens_in_1000() -> None:
    """1 - C(32, 8) / C(64, 8), of all choices those that stay within a half."""
    rate = 1 - math.comb(32, 8) / math.comb(64, 8)
    assert rate == pytest.approx(0.998, abs=5e-4)
    assert specialized_cross_device_rate(0.0, 64, 8) == uniform_remote_devices(64, 8, 2) == pytest.approx(rate)


@pytest.mark.parametrize(("strength", "num_experts", "top_k"), [(0.0, 6, 2), (1.5, 6, 3), (3.0, 8, 2)])
def test_specialized_rate_is_the_sum_over_all_orders_of_draws(strength: float, num_experts: int, top_k: int) -> None:
    weights = [math.exp(strength)] * (num_experts // 2) + [1.0] * (num_experts // 2)
    stays = 0.0
    for order in itertools.permutations(range(num_experts), top_k):
        left, probability = sum(weights), 1.0
        for expert in order:
            probability *= weights[expert] / left
            left -= weights[expert]
        stays += probability * all(expert < num_experts // 2 for expert in order)
    assert specialized_cross_device_rate(strength, num_experts, top_k) == pytest.approx(1 - stays)


@pytest.mark.parametrize(("strength", "rate"), [(3.0, 0.35), (4.0, 0.15), (5.0, 0.06)])
def test_specialized_rate_of_64_experts_8_a_token(strength: float, rate: float) -> None:
    assert specialized_cross_device_rate(strength, 64, 8) == pytest.approx(rate, abs=0.005)


def test_more_choices_than_a_home_has_experts_must_leave_it() -> None:
    assert specialized_cross_device_rate(30.0, 8, 5) == 1


@given(st.sampled_from([(64, 8), (64, 6), (128, 8), (16, 2), (8, 2)]), st.floats(0, 12))
def test_strength_is_found_from_the_rate(sizes: tuple[int, int], strength: float) -> None:
    rate = specialized_cross_device_rate(strength, *sizes)
    assert strength_for_rate(rate, *sizes) == pytest.approx(strength, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "sizes", "highest"), [(0.977, (16, 2), "76.7%"), (-0.1, (16, 2), "76.7%"), (0.5, (8, 5), "100.0%")]
)
def test_a_rate_beyond_uniform_routing_is_refused(rate: float, sizes: tuple[int, int], highest: str) -> None:
    with pytest.raises(
        ValueError, match=rf"cross-device rate of {sizes[0]} experts, .*{highest}\].*, got {rate:.1%}; use"
    ):
        strength_for_rate(rate, *sizes)


def test_devices_must_divide_the_experts() -> None:
    with pytest.raises(ValueError, match="number of devices must divide num_experts=64, got 3"):
        uniform_remote_devices(64, 8, 3)


@pytest.mark.parametrize("strength", [0.0, 0.7, 3.0])
@pytest.mark.parametrize(("num_experts", "top_k"), [(8, 2), (64, 8), (12, 6)])
def test_home_choices_are_the_mean_of_wallenius_distribution(strength: float, num_experts: int, top_k: int) -> None:
    mean = nchypergeom_wallenius.mean(num_experts, num_experts // 2, top_k, math.exp(strength))
    assert expected_home_choices(strength, num_experts, top_k) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("num_tokens", [(1, 0), (3, 5), (0, 40)])
def test_distinct_experts_without_favour_are_those_of_uniform_routing(num_tokens: tuple[int, int]) -> None:
    expected = expected_distinct_experts(64, 8, sum(num_tokens))
    assert specialized_distinct_experts((0.0, 0.0), 64, 8, num_tokens) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("strengths", "num_tokens"), [((2.0, 2.0), (6, 0)), ((1.0, 3.0), (4, 5)), ((8.0, 0.5), (2, 3))]
)
def test_distinct_experts_are_those_of_tokens_drawn_at_random(
    strengths: tuple[float, float], num_tokens: tuple[int, int]
) -> None:
    """Simulated: each token draws its experts one by one, the home of its modality favoured."""
    generator, num_experts, top_k, num_runs = torch.Generator().manual_seed(0), 16, 3, 4000
    is_home_E = torch.arange(num_experts) < num_experts // 2
    hit_RE = torch.zeros(num_runs, num_experts)
    for modality, count in enumerate(num_tokens):
        weights_E = torch.exp(strengths[modality] * (is_home_E if modality == 0 else ~is_home_E))
        for _ in range(count):
            chosen_RK = torch.multinomial(weights_E.expand(num_runs, -1), top_k, generator=generator)
            hit_RE.scatter_(1, chosen_RK, 1.0)
    distinct_R = hit_RE.sum(dim=1)
    error = 4 * float(distinct_R.std()) / math.sqrt(num_runs)
    assert specialized_distinct_experts(strengths, num_experts, top_k, num_tokens) == pytest.approx(
        float(distinct_R.mean()), abs=error
    )
