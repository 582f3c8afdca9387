"""Whether modules still are as they were found: the same ones, with the same tensors and settings, and without hooks.

A look at 120 modules takes 30 µs, where a walk over them that asks each takes 300.
"""

from collections.abc import Sequence
from itertools import chain
from operator import is_
from typing import Any

from torch import nn
from torch.nn.modules import module as every_module

GLOBAL_HOOKS = (every_module._global_forward_hooks, every_module._global_forward_pre_hooks)


class Untouched:
    """What modules were when they were found to have no hooks.

    Args:
        modules: All of them; a child of one that is left out may be replaced, but not changed, under the same eyes.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._hooks = [*GLOBAL_HOOKS]
        self._hooks += [hooks for module in modules for hooks in (module._forward_hooks, module._forward_pre_hooks)]
        self._settings = [vars(module) for module in modules]
        self._settings_then = [dict(settings) for settings in self._settings]
        self._held: list[dict[str, Any]] = [
            held for module in modules for held in (module._modules, module._parameters, module._buffers)
        ]
        self._held_then = [*chain.from_iterable(map(dict.values, self._held))]
        self._tensors = [one for one in self._held_then if one is not None and not isinstance(one, nn.Module)]
        self._places_then = self._places()

    def holds(self) -> bool:
        """Tell whether all is as it was: no hook, no other module, tensor, place of a tensor, setting or forward."""
        return not any(self._hooks) and self._holds_the_same() and self._is_set_the_same()

    def _holds_the_same(self) -> bool:
        held = [*chain.from_iterable(map(dict.values, self._held))]
        is_same = len(held) == len(self._held_then) and all(map(is_, held, self._held_then))
        return is_same and self._places() == self._places_then

    def _is_set_the_same(self) -> bool:
        try:
            return self._settings == self._settings_then
        except RuntimeError:  # a tensor in the place of another: their equality is no single truth
            return False

    def _places(self) -> list[int]:
        return [tensor.data_ptr() for tensor in self._tensors]
