"""A fixture for tests that run on a GPU that is not there: computed on the CPU, by a GPU's rules."""

from collections.abc import Iterator

import pytest
import torch

from bench.rehearsal import driver, sizes
from bench.rehearsal.tensors import DEVICE, GPU


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Return the GPU."""
    driver.install(monkeypatch.setattr)
    driver.interpret(monkeypatch.setattr)
    sizes.cut(monkeypatch.setitem)
    with DEVICE:
        yield GPU
