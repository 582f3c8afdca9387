"""Sum and norm in one launch against float64."""

import pytest
import torch

from tests.moevlm.kernels.triton.where import BOUNDS, drawn, error, needs_kernels

norm = pytest.importorskip("moevlm.kernels.triton.norm", reason="Triton is not installed", exc_type=ImportError)
pytestmark = needs_kernels
EPSILON = 1e-6


def normed(values, scale):
    values = values.double()
    return values / (values.square().mean(-1, keepdim=True) + EPSILON).sqrt() * scale.double()


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("size", [(1, 64), (3, 40), (17, 576)])
def test_the_sum_is_rounded_once_and_the_norm_is_of_that(size, dtype):
    hidden, delta, scale = (drawn(*size[k:], dtype=dtype, seed=seed) for seed, k in enumerate((0, 0, 1)))
    total, normal = norm.add_rms_norm(hidden, delta, scale, EPSILON)
    assert torch.equal(total, hidden + delta)
    assert error(normal, normed(total, scale)) < BOUNDS[dtype]
    assert normal.dtype == dtype


def test_without_a_sum_the_stream_is_what_it_was():
    hidden, scale = drawn(3, 40), drawn(40, seed=1)
    total, normal = norm.add_rms_norm(hidden, None, scale, EPSILON)
    assert total is hidden
    assert error(normal, normed(hidden, scale)) < 1e-5


def test_nan_stays_in_its_row():
    hidden = drawn(3, 40)
    hidden[1, 7] = torch.nan
    assert norm.add_rms_norm(hidden, hidden, drawn(40), EPSILON).normal_TH.isnan().any(1).tolist() == [0, 1, 0]
