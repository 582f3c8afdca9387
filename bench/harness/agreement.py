"""Whether what is to be timed agrees with an independent answer: the checks of a scenario's arms, and how they fail."""

import time
from collections.abc import Callable, Iterable


class WrongAnswer(AssertionError):  # noqa: N818  # named after its verdict, WRONG
    """An arm's answer lies outside the bound around the oracle's: the scenario is not timed, its verdict is WRONG."""


def run_checks(check: Callable[[str], None], arms: Iterable[str]) -> float:
    """Check each arm's answer once; return the seconds that this took.

    Raises:
        WrongAnswer: an arm's answer does not agree.
    """
    started = time.perf_counter()
    for arm in arms:
        check(arm)
    return time.perf_counter() - started
