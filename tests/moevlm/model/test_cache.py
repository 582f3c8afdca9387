"""The memory of a cache: zeroed, every layer's its own, and in huge pages."""

import pytest
import torch

from moevlm.config import MoEVLMTextConfig
from moevlm.kernels.cpu.pages import HUGE_BYTES, why_no_huge_pages
from moevlm.model.cache import LayerMemory, take_memory
from tests.moevlm.kernels.cpu.test_pages import huge_bytes

SHAPE = (2, 4, 4096, 64)  # 4 MiB in bfloat16


@pytest.fixture
def memory() -> list[LayerMemory]:
    batch_size, num_keys, max_length, width = SHAPE
    config = MoEVLMTextConfig(num_hidden_layers=3, num_key_value_heads=num_keys)
    sizes = {"batch_size": batch_size, "max_length": max_length, "width": width}
    return take_memory(config, **sizes, device=torch.device("cpu"), dtype=torch.bfloat16)


def test_each_layer_has_keys_and_values_of_its_own(memory: list[LayerMemory]) -> None:
    states = [one for layer in memory for one in layer]
    assert len(states) == 6
    for number, one in enumerate(states):
        assert one.shape == SHAPE
        assert one.is_contiguous()
        assert not one.any()
        one.fill_(number + 1)
    assert [one.float().mean().item() for one in states] == [1, 2, 3, 4, 5, 6]


@pytest.mark.skipif(bool(why_no_huge_pages()), reason=why_no_huge_pages() or "there are huge pages")
def test_it_lies_in_huge_pages(memory: list[LayerMemory]) -> None:
    assert huge_bytes(memory[1].keys) >= 8 * HUGE_BYTES  # of 12 that it takes
