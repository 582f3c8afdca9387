"""The loop over experts: edges that the backends' common tests do not reach."""

import torch
from torch.nn.functional import silu
from torch.utils._python_dispatch import TorchDispatchMode

from moevlm.kernels.backends import reference_experts
from moevlm.kernels.products import loop_experts


def made(num_tokens):
    generator = torch.Generator().manual_seed(2)
    gate_up, down = (torch.randn(4, rows, 8, generator=generator, dtype=torch.float64) for rows in (12, 6))
    hidden = torch.randn(num_tokens, 8, generator=generator, dtype=torch.float64)
    weights, ids = torch.rand(num_tokens, 4, generator=generator, dtype=torch.float64).topk(2)
    return gate_up, down, hidden, ids, weights


def test_a_choice_marked_as_anothers_adds_nothing():
    gate_up, down, hidden, ids, weights = made(5)
    kept = weights.clone()
    kept[1, 0] = kept[4, 1] = 0
    marked = ids.clone()
    marked[1, 0] = marked[4, 1] = 4
    expected = reference_experts(gate_up, down, hidden, ids, kept)
    torch.testing.assert_close(loop_experts(gate_up, down, hidden, marked, weights, silu), expected)


def test_nan_reaches_the_tokens_that_chose_it_and_no_other():
    gate_up, down, hidden, ids, weights = made(6)
    weights[4, 1] = gate_up[ids[1, 0], 3, 7] = torch.nan
    output = loop_experts(gate_up, down, hidden, ids, weights, silu)
    reached = (ids == ids[1, 0]).any(1)
    reached[4] = True
    assert output.isnan().all(1).tolist() == output.isnan().any(1).tolist() == reached.tolist()
    assert not reached.all()


def test_no_tokens_give_no_rows():
    assert loop_experts(*made(0), silu).shape == (0, 8)


def test_gradients_agree_with_finite_differences():
    gate_up, down, hidden, ids, weights = made(3)
    leaves = [tensor.requires_grad_() for tensor in (gate_up, down, hidden, weights)]

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
    assert len(ids.unique()) == len(down) == 4
    output = loop_experts(gate_up.requires_grad_(), down, hidden, ids, weights, silu)
    with CountOf(gate_up.shape) as made_so:
        output.sum().backward()
    assert 1 <= made_so.count < 4
