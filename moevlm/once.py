"""Facts of the machine or the installed versions: found out once a process, and a constant to a compiled model."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

MARK = "_dynamo_marked_constant"  # set by torch.compiler.assume_constant_result

P = ParamSpec("P")
R = TypeVar("R")


def constant(function: Callable[P, R]) -> Callable[P, R]:
    """Have torch.compile take what a function returns without tracing it.

    torch's own decorator sets the same mark, and imports the compiler to do so: two seconds of every process.
    """
    setattr(function, MARK, True)
    return function


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Call a function once for equal arguments; torch.compile takes what it returns without tracing it.

    `functools.cache` alone would be traced through, with a warning, and what compiles or imports cannot be traced.
    """
    cached = cache(function)

    @constant
    @wraps(function)
    def found(*args: P.args, **kwargs: P.kwargs) -> R:
        return cached(*args, **kwargs)  # type: ignore[arg-type]  # a cache asks for hashable arguments

    found.cache_clear = cached.cache_clear  # type: ignore[attr-defined]
    return found
