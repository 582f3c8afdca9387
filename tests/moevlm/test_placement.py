"""Tests of the measures of expert parallelism: against slow plain loops and numbers computed by hand."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moevlm.placement import (
    HOME_RULES,
    cross_device_rate,
    device_load,
    home_by_modality,
    home_by_sequence,
    mean_remote_devices,
    mean_remote_share,
    place_by_bins,
    place_in_order,
)
from moevlm.specialization import expert_load

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
def test_measures_equal_plain_loops(routing: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    ids, devices, homes = (tensor.tolist() for tensor in routing)
    pairs = zip(ids, homes, strict=True)
    remote = [[devices[expert] for expert in chosen if devices[expert] != home] for chosen, home in pairs]
    num_tokens, top_k = len(ids), len(ids[0])
    assert cross_device_rate(*routing) == pytest.approx(sum(bool(token) for token in remote) / num_tokens)
    assert mean_remote_share(*routing) == pytest.approx(sum(map(len, remote)) / num_tokens / top_k)
    assert mean_remote_devices(*routing) == pytest.approx(sum(len(set(token)) for token in remote) / num_tokens)


def test_measures_computed_by_hand() -> None:
    routing = IDS_TK, DEVICE_OF_EXPERT_E, torch.tensor([0, 0, 0, 0])
    assert cross_device_rate(*routing) == 3 / 4
    assert mean_remote_share(*routing) == 5 / 8
    assert mean_remote_devices(*routing) == (0 + 1 + 1 + 2) / 4


def test_a_home_without_experts_makes_every_choice_remote() -> None:
    routing = IDS_TK, DEVICE_OF_EXPERT_E, torch.full((4,), 3)
    assert cross_device_rate(*routing) == mean_remote_share(*routing) == 1
    assert mean_remote_devices(*routing) == (1 + 2 + 1 + 2) / 4


def test_a_device_carries_the_load_of_its_experts() -> None:
    load_E = expert_load(IDS_TK, 6)
    assert load_E.tolist() == [2, 1, 1, 1, 1, 2]
    assert device_load(load_E, DEVICE_OF_EXPERT_E, 4).tolist() == [3, 1, 4, 0]


@pytest.mark.parametrize("homes", [[0, 0, 0], [[0], [0], [0], [0]], []])
def test_each_token_must_have_one_home(homes: list[Any]) -> None:
    for measure in (cross_device_rate, mean_remote_share, mean_remote_devices):
        with pytest.raises(ValueError, match=r"each token, at least 1, must have one home, got homes .* \(4, 2\)"):
            measure(IDS_TK, DEVICE_OF_EXPERT_E, torch.tensor(homes))


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
