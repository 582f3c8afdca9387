"""Tests of what is read off a forward pass's routing: against slow plain loops and numbers computed by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moevlm import MoEVLM
from moevlm.smoes.specialization import (
    distinct_experts,
    expert_load,
    layer_specialization,
    max_over_mean_load,
    modality_specialization_index,
    recorded_routing,
)

Make = Callable[..., Any]


@st.composite
def loads(draw: st.DrawFn) -> torch.Tensor:
    """Draw loads (L, 2, E) with at least one token of each modality in each layer."""
    layers, experts = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    counts = draw(st.lists(st.integers(0, 50), min_size=2 * layers * experts, max_size=2 * layers * experts))
    load_LME = torch.tensor(counts).view(layers, 2, experts)
    load_LME[..., draw(st.integers(0, experts - 1))] += 1
    return load_LME


def slow_index(load_LME: torch.Tensor) -> list[float]:
    """Return each layer's index as smoes.md writes it, one expert at a time."""
    indices = []
    for text, vision in load_LME.tolist():
        terms = []
        for at_text, at_vision in zip(text, vision, strict=True):
            c_text, c_vision = at_text / sum(text), at_vision / sum(vision)
            share = c_text / (c_text + c_vision) if c_text + c_vision > 0 else 0.5
            terms.append(2 * abs(share - 0.5))
        indices.append(sum(terms) / len(terms))
    return indices


@given(loads())
def test_index_equals_the_plain_formula(load_LME: torch.Tensor) -> None:
    expected = slow_index(load_LME)
    assert layer_specialization(load_LME).tolist() == pytest.approx(expected, abs=1e-12)
    assert modality_specialization_index(load_LME) == pytest.approx(sum(expected) / len(expected), abs=1e-12)


@given(loads(), st.randoms(use_true_random=False))
def test_index_is_a_share_and_knows_no_order_of_experts_or_modalities(load_LME: torch.Tensor, random: Any) -> None:
    index = modality_specialization_index(load_LME)
    order = random.sample(range(load_LME.shape[2]), load_LME.shape[2])
    assert 0 <= index <= 1 + 1e-12
    assert modality_specialization_index(load_LME[:, :, order].flip(1)) == pytest.approx(index, abs=1e-12)


def test_index_computed_by_hand() -> None:
    load_LME = torch.tensor([[[6, 2, 0, 0], [3, 3, 6, 0]]])  # parts 3/4, 1/4, 0, 0 and 1/4, 1/4, 1/2, 0
    assert layer_specialization(load_LME).tolist() == pytest.approx([(0.5 + 0 + 1 + 0) / 4])


def test_index_is_0_for_equal_shares_of_unequal_modalities() -> None:
    assert modality_specialization_index(torch.tensor([[[1, 2, 3], [10, 20, 30]]])) == pytest.approx(0)


def test_index_is_1_for_a_clean_split() -> None:
    assert modality_specialization_index(torch.tensor([[[7, 0, 2, 0], [0, 3, 0, 9]]])) == 1


def test_index_takes_soft_scores_in_low_precision() -> None:
    load_LME = torch.tensor([[[1.5, 0.5], [0.5, 1.5]]], dtype=torch.bfloat16)
    assert modality_specialization_index(load_LME) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("load", "rule"),
    [
        (
            [[[1, 1], [1, 1]], [[1, 1], [0, 0]]],
            "must have tokens of both modalities in every layer, got none of vision in",
        ),
        ([[1, 1], [1, 1]], r"must have the shape \(L, 2, E\), got \(2, 2\)"),
    ],
)
def test_loads_without_an_index_are_refused(load: list[Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        modality_specialization_index(torch.tensor(load))


def test_expert_load_counts_tokens() -> None:
    assert expert_load(torch.tensor([[7, 1], [1, 2]]), 8).tolist() == [0, 2, 1, 0, 0, 0, 0, 1]


def test_load_is_compared_with_its_mean() -> None:
    assert max_over_mean_load(torch.tensor([4.0, 1.0, 1.0])) == pytest.approx(2)
    assert max_over_mean_load(torch.full((64,), 3)) == 1
    with pytest.raises(ValueError, match="load must count at least 1 token, got a mean of 0"):
        max_over_mean_load(torch.zeros(4))


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
