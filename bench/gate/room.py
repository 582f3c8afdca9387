"""What of a long list or name a comment has room for, and how many are left out."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.gate.markdown import one_line
from bench.harness.wording import counted

LEAST_LETTERS = 20  # of an item; more items than would fit so are not tried
LEFT_OUT = "_{} left out, for GitHub takes no longer comment; ab.json beside this text has all._"

Item = TypeVar("Item")


def fitting(items: Sequence[Item], room: int, write: Callable[[Sequence[Item]], str], thing: str = "row") -> str:
    """Write as many of the first items as fit into a number of letters, and say how many more there are.

    >>> print(fitting(["one"] * 400, 120, ", ".join))
    one, one, one, one, one, one
    <BLANKLINE>
    _394 rows left out, for GitHub takes no longer comment; ab.json beside this text has all._
    """

    def first(count: int) -> str:
        left = len(items) - count
        note = LEFT_OUT.format(counted(left, thing)) if left else ""
        return "\n\n".join(filter(None, [write(items[:count]) if count else "", note]))

    most = min(len(items), room // LEAST_LETTERS)
    if most == len(items) and len(whole := first(most)) <= room:
        return whole
    return first(max(0, bisect_right(range(most + 1), room, key=lambda count: len(first(count))) - 1))


def short_name(name: str, most: int) -> str:
    """Leave out the middle of a long name, for names differ at both ends.

    >>> short_name("bench_decode[tiny-b1]", 12)
    'bench_...-b1]'
    """
    shown = one_line(name)
    return shown if len(shown) <= most else f"{shown[: most // 2]}...{shown[-(most // 3) :]}"


def short_text(text: str, most: int) -> str:
    """Leave out the end of a long text.

    >>> short_text("it ended by a signal", 8)
    'it ended ...'
    """
    shown = one_line(text)
    return shown if len(shown) <= most else f"{shown[:most].rstrip()} ..."
