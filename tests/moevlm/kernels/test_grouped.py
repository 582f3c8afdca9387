"""Experts through torch's grouped product, against the float64 oracle, plain and compiled."""

import pytest
import torch

from moevlm.kernels.backends import reference_experts
from moevlm.kernels.grouped import grouped_experts

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def made(num_tokens, dtype):
    generator = torch.Generator().manual_seed(4)
    gate_up, down = ((0.3 * torch.randn(8, rows, 32, generator=generator)).to(dtype) for rows in (32, 16))
    hidden = torch.randn(num_tokens, 32, generator=generator).to(dtype)
    weights, ids = torch.rand(num_tokens, 8, generator=generator).topk(2)
    return gate_up, down, hidden, ids, weights.to(dtype)


def error(actual, expected):
    return float((actual.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("num_tokens", [1, 5, 40])
def test_it_agrees_with_the_oracle(num_tokens, dtype):
    inputs = made(num_tokens, dtype)
    output = grouped_experts(*inputs)
    assert output.dtype is dtype
    assert error(output, reference_experts(*inputs)) < BOUNDS[dtype]


def test_a_choice_marked_as_anothers_adds_nothing():
    gate_up, down, hidden, ids, weights = made(6, torch.float32)
    here = weights.clone()
    here[1, 0] = here[3] = 0
    output = grouped_experts(gate_up, down, hidden, ids.masked_fill(here == 0, 8), weights)
    assert error(output, reference_experts(gate_up, down, hidden, ids, here)) < BOUNDS[torch.float32]
    assert not output[3].any()


@pytest.mark.parametrize("dtype", BOUNDS)
def test_nan_reaches_the_tokens_that_chose_it_and_no_other(dtype):
    gate_up, down, hidden, ids, weights = made(6, dtype)
    weights[4, 1] = gate_up[ids[1, 0], 3, 7] = torch.nan
    output = grouped_experts(gate_up, down, hidden, ids, weights)
    reached = (ids == ids[1, 0]).any(1)
    reached[4] = True
    assert output.isnan().all(1).tolist() == output.isnan().any(1).tolist() == reached.tolist()
    assert not reached.all()


def test_it_is_one_graph_for_the_compiler():
    traced = torch.compile(grouped_experts, fullgraph=True, backend="aot_eager")
    inputs = made(9, torch.bfloat16)
    assert error(traced(*inputs), reference_experts(*inputs)) < BOUNDS[torch.bfloat16]


def test_no_value_reaches_the_host():
    inputs = [tensor.to("meta") for tensor in made(5, torch.bfloat16)]
    assert grouped_experts(*inputs).shape == (5, 32)
