"""Tests of the measures of expert parallelism: against slow plain loops and numbers computed by hand."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moevlm.smoes.placement import (
    HOME_RULES,
    cross_device_rate,
    home_by_modality,
    home_by_sequence,
    place_by_bins,
    place_in_order,
)

IDS_TK = torch.tensor([[0, 1], [0, 5], [4, 5], [2, 3]])
DEVICE_OF_EXPERT_E = torch.tensor([0, 0, 1, 2, 2, 2])


@st.composite
def routings(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw expert ids (T, K), devices of experts (E,) and homes of tokens (T,)."""
    num_experts, num_devices, num_tokens = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(1, 12))
    top_k = draw(st.integers(1, num_experts))
    ids = [draw(st.permutations(range(num_experts)))[:top_k] for _ in range(num_tokens)]
    device = st.integers(0, num_devices - 1)
    devices = draw(st.lists(device, min_size=num_experts, max_size=num_experts))
    homes = draw(st.lists(device, min_size=num_tokens, max_size=num_tokens))
    return torch.tensor(ids), torch.tensor(devices), torch.tensor(homes)


@given(routings())
def test_rate_equals_a_plain_loop(routing: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    ids, devices, homes = (tensor.tolist() for tensor in routing)
    crosses = [any(devices[expert] != home for expert in chosen) for chosen, home in zip(ids, homes, strict=True)]
    assert cross_device_rate(*routing) == pytest.approx(sum(crosses) / len(crosses))


def test_rate_computed_by_hand() -> None:
    assert cross_device_rate(IDS_TK, DEVICE_OF_EXPERT_E, torch.tensor([0, 0, 0, 0])) == 3 / 4


def test_a_home_without_experts_makes_every_token_cross() -> None:
    assert cross_device_rate(IDS_TK, DEVICE_OF_EXPERT_E, torch.full((4,), 3)) == 1


@pytest.mark.parametrize("homes", [[0, 0, 0], [[0], [0], [0], [0]], []])
def test_each_token_must_have_one_home(homes: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"each token, at least 1, must have one home, got homes .* \(4, 2\)"):
        cross_device_rate(IDS_TK, DEVICE_OF_EXPERT_E, torch.tensor(homes))


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="each token, at least 1, must have one home"):
        cross_device_rate(IDS_TK[:0], DEVICE_OF_EXPERT_E, torch.zeros(0))


def test_a_sequence_lives_on_one_device() -> None:
    assert home_by_sequence(torch.zeros(5, 2, dtype=torch.bool), 3).tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1]


def test_vision_lives_on_the_first_half_of_the_devices_and_text_on_the_second() -> None:
    is_vision_BS = torch.tensor([[True, False], [False, True], [True, False]])
    assert home_by_modality(is_vision_BS, 2).tolist() == [0, 1, 1, 0, 0, 1]
    assert home_by_modality(is_vision_BS, 4).tolist() == [0, 2, 3, 1, 0, 2]


@pytest.mark.parametrize("num_devices", [0, 1, 3])
def test_a_home_by_modality_needs_two_halves(num_devices: int) -> None:
    with pytest.raises(ValueError, match=f"needs an even number of devices, got {num_devices}"):
        home_by_modality(torch.zeros(1, 1, dtype=torch.bool), num_devices)


@pytest.mark.parametrize("rule", HOME_RULES)
def test_every_rule_gives_each_token_a_device(rule: str) -> None:
    homes_T = HOME_RULES[rule](torch.rand(3, 5) < 0.5, 4)
    assert homes_T.shape == (15,)
    assert homes_T.dtype == torch.int64
    assert set(homes_T.tolist()) <= set(range(4))


def test_bins_put_vision_on_the_first_devices_and_experts_without_load_between() -> None:
    load_ME = torch.tensor([[0, 9, 3, 0, 5, 8], [9, 0, 3, 0, 1, 1]])
    assert place_by_bins(load_ME, 3).tolist() == [0, 2, 0, 1, 1, 2]
    assert place_by_bins(torch.zeros(2, 6), 3).tolist() == place_in_order(6, 3).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("num_devices", [0, 5])
def test_experts_are_placed_on_devices_that_divide_them(num_devices: int) -> None:
    rule = f"must divide num_experts=6, got {num_devices}; use one of 1, 2, 3, 6"
    with pytest.raises(ValueError, match=rule):
        place_in_order(6, num_devices)
    with pytest.raises(ValueError, match=rule):
        place_by_bins(torch.zeros(2, 6), num_devices)
