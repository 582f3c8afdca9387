"""Small models in float64, whose results differ by rounding alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from moevlm import MoEVLM, set_expert_backend


@pytest.fixture
def make_exact(make_model: Callable[..., MoEVLM]) -> Callable[..., MoEVLM]:
    """Build a small model in float64 under a backend that knows it and that a capture can trace; as `make_model`."""

    def make(**config: Any) -> MoEVLM:
        model = make_model(torch.float64, **config)
        set_expert_backend(model, "batched_mm")
        return model

    return make
