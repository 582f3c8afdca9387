"""Where Triton's kernels run in tests: on a GPU or, with TRITON_INTERPRET=1, in Triton's interpreter."""

import os

import pytest
import torch

ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
CAN_RUN = ON_GPU or os.environ.get("TRITON_INTERPRET") == "1"
REASON = "needs a GPU, or Triton's interpreter: TRITON_INTERPRET=1"
needs_kernels = pytest.mark.skipif(not CAN_RUN, reason=REASON)
# Interpreted tl.dot is right for float32 and float16, not for bfloat16: that is tested on a GPU.
BOUNDS = {torch.float32: 1e-5} | ({torch.bfloat16: 1e-2, torch.float16: 2e-3} if ON_GPU else {})


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the relative error, of float64."""
    return float((actual.double() - expected.double()).norm() / expected.double().norm())


def drawn(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Draw normal values."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)
