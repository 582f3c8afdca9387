"""Which kernels a device runs: the choice itself; what they compute is tested beside each of them."""

import sys

import pytest
import torch

from moevlm.kernels import fast
from moevlm.kernels.fast import is_swiglu_inference

GATE_UP, DOWN, HIDDEN = 0.1 * torch.randn(4, 64, 64), 0.1 * torch.randn(4, 32, 64), torch.randn(3, 64)
IDS, WEIGHTS = torch.zeros(3, 1, dtype=torch.int64), torch.ones(3, 1)


def test_no_kernel_takes_what_it_cannot_compute():
    assert fast.fast_dense(GATE_UP.double(), DOWN.double(), HIDDEN.double(), "silu") is None
    assert fast.fast_dense(GATE_UP, DOWN, HIDDEN, "gelu") is None
    assert fast.fast_experts(GATE_UP, DOWN, HIDDEN, IDS, WEIGHTS, "gelu") is None
    assert fast.fast_experts(GATE_UP, DOWN, HIDDEN.bfloat16(), IDS, WEIGHTS, "silu") is None


def test_gradients_are_left_to_torch():
    wanted = [DOWN.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()]
    assert fast.fast_dense(GATE_UP, wanted[0], HIDDEN, "silu") is None
    assert fast.fast_dense(GATE_UP, DOWN, HIDDEN.clone().requires_grad_(), "silu") is None
    assert fast.fast_experts(GATE_UP, DOWN, HIDDEN, IDS, wanted[1], "silu") is None
    with torch.no_grad():
        assert fast.fast_dense(GATE_UP, wanted[0], HIDDEN, "silu") is not None
        assert fast.fast_experts(GATE_UP, DOWN, HIDDEN, IDS, wanted[1], "silu") is not None


@pytest.mark.parametrize(
    "tensors",
    [
        (GATE_UP.bfloat16(), DOWN, HIDDEN),
        (GATE_UP, DOWN, HIDDEN.bfloat16()),
        (GATE_UP.mT.contiguous().mT, DOWN, HIDDEN),
        (GATE_UP, DOWN.mT.contiguous().mT, HIDDEN),
    ],
)
def test_kernels_want_one_dtype_and_the_stored_layout(tensors):
    assert is_swiglu_inference(GATE_UP, DOWN, HIDDEN, "silu")
    assert not is_swiglu_inference(*tensors, "silu")


def test_a_gpu_without_triton_says_so_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "moevlm.kernels.triton.ops", None)
    fast._has_triton.cache_clear()
    with pytest.warns(UserWarning, match="GPU kernels need Triton, torch's products are used instead: .*; pip install"):
        assert not fast.has_gpu_kernels(torch.bfloat16)
    assert not fast.has_gpu_kernels(torch.bfloat16)
    fast._has_triton.cache_clear()


def test_float64_has_no_gpu_kernels():
    assert not fast.has_gpu_kernels(torch.float64)
