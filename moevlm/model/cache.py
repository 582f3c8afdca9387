"""Memory for keys and values, taken once: layers that grow in it, and layers of a fixed shape over the same memory.

Shapes: B samples, G key-value heads, L cached tokens, W head_dim (wider where modality scores ride along).
"""

# transformers' caches carry no annotations.
# mypy: allow-untyped-calls

from collections.abc import Sequence
from typing import NamedTuple

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from moevlm.config import MoEVLMTextConfig
from moevlm.kernels.cpu.pages import use_huge_pages


class LayerMemory(NamedTuple):
    """Keys and values of one layer, each (B, G, L, W)."""

    keys: torch.Tensor
    values: torch.Tensor


def take_memory(
    config: MoEVLMTextConfig, *, batch_size: int, max_length: int, width: int, device: torch.device, dtype: torch.dtype
) -> list[LayerMemory]:
    """Take the memory of every layer, zeroed: a fixed-shape step reads tokens that are not there yet.

    On a CPU it is one piece, in huge pages: a step reads 1,000 tokens up to a tenth faster from them.
    """
    of_layers = config.num_hidden_layers, len(LayerMemory._fields)
    shape = (batch_size, config.num_key_value_heads, max_length, width)
    memory = torch.empty(*of_layers, *shape, device=device, dtype=dtype)
    use_huge_pages([memory], is_filled=False)
    return [LayerMemory(*states) for states in memory.zero_()]


class PreallocatedLayer(DynamicLayer):
    """A cache layer that writes into memory taken once, where transformers' copies the whole layer at each token."""

    def __init__(self, memory: LayerMemory) -> None:
        super().__init__()
        self.memory = memory
        self.dtype, self.device = memory.keys.dtype, memory.keys.device
        self.is_initialized = True
        self.show(0)

    def show(self, length: int) -> None:
        """Make the first `length` tokens of the memory the layer's content."""
        self.keys, self.values = self._shown(length)

    def _shown(self, length: int) -> LayerMemory:
        return LayerMemory(*(states[:, :, :length] for states in self.memory))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (B, G, new, W) and return views of all."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self.memory.keys[:, :, start:end] = key_states
        self.memory.values[:, :, start:end] = value_states
        self.keys, self.values = shown = self._shown(end)
        return shown


class FixedLayer(DynamicLayer):
    """A cache layer whose shapes never change: it writes one token where a tensor says, and returns all its memory."""

    def __init__(self, memory: LayerMemory, slot_1: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values = self.memory = memory
        self.slot_1 = slot_1
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write keys and values (B, G, 1, W) at `slot_1` and return the whole memory."""
        self.memory.keys.index_copy_(2, self.slot_1, key_states)
        self.memory.values.index_copy_(2, self.slot_1, value_states)
        return self.memory


def growing_cache(memory: Sequence[LayerMemory], samples: slice, length: int = 0) -> Cache:
    """Make a cache of some samples' rows of the memory.

    Args:
        length: Tokens that are in it already.
    """
    layers = [PreallocatedLayer(LayerMemory(keys[samples], values[samples])) for keys, values in memory]
    for layer in layers:
        layer.show(length)
    return Cache(layers=[*layers])
