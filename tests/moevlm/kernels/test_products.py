"""Experts in torch's own products, one after another or grouped: edges that the backends' tests do not reach."""

from functools import partial

import pytest
import torch
from torch.nn.functional import silu
from torch.utils._python_dispatch import TorchDispatchMode

from moevlm.kernels.backends import reference_experts
from moevlm.kernels.grouped import grouped_experts
from moevlm.kernels.products import loop_experts

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
WAYS = {"loop": partial(loop_experts, act=silu), "grouped": grouped_experts}
each_way = pytest.mark.parametrize("run", WAYS.values(), ids=WAYS)


def made(num_tokens, dtype=torch.float32):
    """Return weights, hidden states and choices of widths that torch's grouped product takes."""
    generator = torch.Generator().manual_seed(4)
    gate_up, down = ((0.3 * torch.randn(8, rows, 32, generator=generator)).to(dtype) for rows in (32, 16))
    hidden = torch.randn(num_tokens, 32, generator=generator).to(dtype)
    weights, ids = torch.rand(num_tokens, 8, generator=generator).topk(2)
    return gate_up, down, hidden, ids, weights.to(dtype)


def error(actual, expected):
    return float((actual.double() - expected).norm() / expected.norm())


@each_way
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("num_tokens", [1, 5, 40])
def test_both_agree_with_the_oracle(run, num_tokens, dtype):
    inputs = made(num_tokens, dtype)
    output = run(*inputs)
    assert output.dtype is dtype
    assert error(output, reference_experts(*inputs)) < BOUNDS[dtype]


@each_way
def test_a_choice_marked_as_anothers_adds_nothing(run):
    gate_up, down, hidden, ids, weights = made(6)
    here = weights.clone()
    here[1, 0] = here[3] = 0
    output = run(gate_up, down, hidden, ids.masked_fill(here == 0, 8), weights)
    assert error(output, reference_experts(gate_up, down, hidden, ids, here)) < BOUNDS[torch.float32]
    assert not output[3].any()


@each_way
@pytest.mark.parametrize("dtype", BOUNDS)
def test_nan_reaches_the_tokens_that_chose_it_and_no_other(run, dtype):
    gate_up, down, hidden, ids, weights = made(6, dtype)
    weights[4, 1] = gate_up[ids[1, 0], 3, 7] = torch.nan
    output = run(gate_up, down, hidden, ids, weights)
    reached = (ids == ids[1, 0]).any(1)
    reached[4] = True
    assert output.isnan().all(1).tolist() == output.isnan().any(1).tolist() == reached.tolist()
    assert not reached.all()


def test_grouped_experts_are_one_graph_for_the_compiler():
    traced = torch.compile(grouped_experts, fullgraph=True, backend="aot_eager")
    inputs = made(9, torch.bfloat16)
    assert error(traced(*inputs), reference_experts(*inputs)) < BOUNDS[torch.bfloat16]


def test_no_value_of_grouped_experts_reaches_the_host():
    inputs = [tensor.to("meta") for tensor in made(5, torch.bfloat16)]
    assert grouped_experts(*inputs).shape == (5, 32)


def test_no_tokens_give_no_rows():
    assert loop_experts(*made(0), silu).shape == (0, 32)


def test_gradients_agree_with_finite_differences():
    shapes, ids = ((3, 4, 3), (3, 2, 3), (4, 3), (4, 2)), torch.tensor([[0, 1], [1, 2], [2, 1], [1, 0]])
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def run(gate_up, down, hidden, weights):
        return loop_experts(gate_up, down, hidden, ids, weights, silu)

    assert torch.autograd.gradcheck(run, leaves)


class CountOf(TorchDispatchMode):
    """Count the tensors of a shape that operations make."""

    def __init__(self, shape):
        super().__init__()
        self.shape, self.count = shape, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        self.count += isinstance(output, torch.Tensor) and output.shape == self.shape
        return output


def test_the_gradient_of_all_experts_is_made_once_not_once_an_expert():
    gate_up, down, hidden, ids, weights = made(40)
    assert len(ids.unique()) == len(down) == 8
    output = loop_experts(gate_up.requires_grad_(), down, hidden, ids, weights, silu)
    with CountOf(gate_up.shape) as made_so:
        output.sum().backward()
    assert 1 <= made_so.count < 8
