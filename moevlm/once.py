"""Facts of the machine or the installed versions: found out once a process, and a constant to a compiled model."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Call a function once for equal arguments; torch.compile takes what it returns without tracing it.

    `functools.cache` alone would be traced through, with a warning, and what compiles or imports cannot be traced.
    """
    cached = cache(function)

    @torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
    @wraps(function)
    def constant(*args: P.args, **kwargs: P.kwargs) -> R:
        return cached(*args, **kwargs)  # type: ignore[arg-type]  # a cache asks for hashable arguments

    constant.cache_clear = cached.cache_clear
    return constant  # type: ignore[no-any-return]
