"""Items in groups: those with one key together, groups in the order in which their keys come first."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Part items by a key; within a group they keep their order.

    >>> grouped(["a1", "b1", "a2"], lambda item: item[0])
    [['a1', 'a2'], ['b1']]
    """
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
