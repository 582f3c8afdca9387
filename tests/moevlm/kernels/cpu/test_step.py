"""Products of few rows, norms and rotation against float64, and what is left to torch."""

import pytest
import torch

from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.build import load

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # relative, of a norm over all values
EPSILON = 1e-6


@pytest.fixture(params=list(BOUNDS))
def dtype(request):
    return request.param


def normal(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def assert_near(found, expected):
    error = (found.double() - expected).norm() / expected.norm()
    assert found.shape == expected.shape
    assert error < BOUNDS[found.dtype]


def normalised(rows):
    return rows / (rows.square().mean(-1, keepdim=True) + EPSILON).sqrt()


@pytest.mark.parametrize("rows", range(1, step.MOST_ROWS + 1))
@pytest.mark.parametrize(("outputs", "width"), [(4, 64), (1028, 192)])
def test_a_product_of_few_rows_equals_float64s(dtype, rows, outputs, width):
    weight, hidden = normal(outputs, width, dtype=dtype), normal(rows, width, dtype=dtype, seed=1)
    assert_near(step.few_rows(weight, hidden), (hidden.double()[:, None] * weight.double()).sum(-1))


def test_each_row_of_a_product_is_what_it_is_alone(dtype):
    weight, hidden = normal(32, 64, dtype=dtype), normal(7, 64, dtype=dtype, seed=1)
    alone = torch.cat([step.few_rows(weight, row[None]) for row in hidden])
    assert torch.equal(step.few_rows(weight, hidden), alone)


@pytest.mark.parametrize("width", [7, 64, 200])
def test_a_norm_equals_its_formula_in_float64(dtype, width):
    hidden, scale = 3 * normal(2, 3, width, dtype=dtype), normal(width, dtype=dtype, seed=1)
    assert_near(step.rms_norm(hidden, scale, EPSILON), normalised(hidden.double()) * scale.double())


def test_a_row_of_zeros_stays_zero(dtype):
    zeros = torch.zeros(1, 64, dtype=dtype)
    assert torch.equal(step.rms_norm(zeros, torch.ones(64, dtype=dtype), EPSILON), zeros)


def test_heads_turn_as_complex_numbers_do(dtype):
    rows, queries, keys, width = 3, 4, 2, 16
    projected = normal(rows, (queries + 2 * keys) * width, dtype=dtype)
    scales = normal(width, dtype=dtype, seed=1), normal(width, dtype=dtype, seed=2)
    angle = normal(rows, width // 2, dtype=torch.float64, seed=3)
    tables = torch.cat([angle.cos()] * 2, -1).to(dtype), torch.cat([-angle.sin(), angle.sin()], -1).to(dtype)
    found = step.rotated_heads(projected, scales, tables, epsilon=EPSILON, num_queries=queries, num_keys=keys)
    heads = normalised(projected.double().view(rows, -1, width)[:, : queries + keys])
    heads[:, :queries] *= scales[0].double()
    heads[:, queries:] *= scales[1].double()
    turn = torch.complex(tables[0][:, : width // 2].double(), tables[1][:, width // 2 :].double())
    turned = torch.complex(heads[..., : width // 2], heads[..., width // 2 :]) * turn[:, None]
    assert_near(found, torch.cat([turned.real, turned.imag], -1))


@pytest.mark.parametrize(
    ("hidden", "other"),
    [
        (torch.ones(9, 64), torch.ones(64)),
        (torch.ones(0, 64), torch.ones(64)),
        (torch.ones(2, 64, dtype=torch.float64), torch.ones(64, dtype=torch.float64)),
        (torch.ones(2, 64), torch.ones(64, dtype=torch.bfloat16)),
        (torch.ones(2, 128)[:, ::2], torch.ones(64)),
        (torch.ones(2, 64), torch.ones(128)[::2]),
        (torch.ones(2, 64, device="meta"), torch.ones(64, device="meta")),
    ],
)
def test_what_the_kernels_cannot_compute_with_is_left_to_torch(hidden, other):
    with torch.no_grad():
        assert step.takes(torch.ones(8, 64), torch.ones(64))
        assert not step.takes(hidden, other)


def test_gradients_are_left_to_torch():
    assert not step.takes(torch.ones(2, 64), torch.ones(64))


@pytest.mark.parametrize("shape", [(4, 32), (6, 64)])
def test_odd_matrices_are_left_to_torch(shape):
    assert step.takes_weight(torch.ones(4, 64))
    assert not step.takes_weight(torch.ones(shape))
