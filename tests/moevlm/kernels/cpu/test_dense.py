"""A dense feed-forward by products, beside SwiGLU written out in float64."""

import pytest
import torch
import torch.nn.functional as F

from moevlm.kernels.cpu import dense
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.dense import product_dense

needs_kernels = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-6, torch.bfloat16: 1e-2}


def drawn(*sizes, dtype=torch.float32):
    return torch.randn(sizes, generator=torch.Generator().manual_seed(len(sizes))).to(dtype)


def slow(gate_up, down, hidden):
    """Sum the blocks one after another, as the definition has them."""
    total = torch.zeros(hidden.shape, dtype=torch.float64)
    for block_gate_up, block_down in zip(gate_up.double(), down.double(), strict=True):
        gate, up = (hidden.double() @ block_gate_up.T).chunk(2, dim=-1)
        total += gate / (1 + torch.exp(-gate)) * up @ block_down
    return total


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("num_blocks", [1, 3])
@pytest.mark.parametrize("width", [5, 32])
@pytest.mark.parametrize("num_tokens", [0, 1, 50])
@pytest.mark.parametrize("has_kernels", [pytest.param(True, marks=needs_kernels), False])
def test_blocks_are_summed(monkeypatch, has_kernels, num_tokens, width, num_blocks, dtype):
    if not has_kernels:
        monkeypatch.setattr(dense, "load", lambda: "no compiler")
    gate_up, down = drawn(num_blocks, 2 * width, 24, dtype=dtype), drawn(num_blocks, width, 24, dtype=dtype)
    hidden = drawn(num_tokens, 24, dtype=dtype)
    with torch.inference_mode():
        found = product_dense(gate_up, down, hidden)
    expected = slow(gate_up, down, hidden)
    assert (found.shape, found.dtype) == (hidden.shape, dtype)
    assert (found - expected).norm() <= BOUNDS[dtype] * expected.norm()


@needs_kernels
def test_the_elementwise_part_is_silu_at_any_size_of_its_input():
    gates = torch.tensor([-1e4, -200.0, -87.5, -1e-3, 0.0, 1e-3, 87.5, 200.0, 1e4])
    found = torch.ops.moevlm.gated(torch.cat([gates, torch.full((9,), 2.0)])[None], 9)
    torch.testing.assert_close(found[0], 2 * F.silu(gates.double()).float(), rtol=1e-6, atol=1e-33)


@needs_kernels
@pytest.mark.parametrize("width", [3, 0, 100])
def test_blocks_that_do_not_fill_rows_are_refused(width):
    with pytest.raises(RuntimeError, match=f"blocks of width {width} must fill 16 columns"):
        torch.ops.moevlm.gated(torch.zeros(2, 16), width)


@needs_kernels
def test_the_operator_keeps_torchs_rules():
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.moevlm.gated, (torch.randn(3, 16), 4), test_utils=checks)
