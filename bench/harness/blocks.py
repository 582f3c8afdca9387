"""Blocks: every arm once, in random balanced order.

A block is as short as its arms allow, so that what disturbs the machine disturbs all of its arms alike: from a
millisecond (one layer of tiny) to half a minute (four layers of 34b), where less is alike.

In a brief block every timed call follows an untimed one of the same arm. Without it a call of a millisecond finds the
caches as another arm or process has left them, and spreads by a fifth from block to block instead of by a twentieth.
"""

import functools
import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from bench.harness.anchors import make_anchor
from bench.harness.arms import ANCHOR, DENSE, PRIMARY, is_peer
from bench.harness.clock import Clock, slowed

R = TypeVar("R")

WARMUP_BLOCKS = 2  # the first pays for allocation, the second sizes the run; one, where a block exceeds the budget
MIN_BLOCKS = 6  # the fewest whose median has a 95 % interval (2 * 0.5**6 < 0.05)
MAX_BLOCKS = 200  # more do not help: launches differ by more than this many blocks resolve
# How calls are timed. 1: after whatever ran before. 2: in a brief block after an untimed call of the same arm, and in a
# process that keeps what calls free (`bench.harness.heap`).
TIMING = 2
BRIEF_S = 0.1  # of a block; in a longer one cold caches weigh little, and a second call of all arms much


class UnknownArm(ValueError):  # noqa: N818  # what it is about
    """A slowdown is to be rehearsed on an arm that there is not."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms a scenario is measured: where, how long, in which order, and what is slowed."""

    device: torch.device
    dtype: torch.dtype
    budget_s: float  # clock time to spend on the blocks of one scenario
    seed: int  # of the arms' order
    min_blocks: int = MIN_BLOCKS
    slowdowns: Mapping[str, float] = field(default_factory=dict)  # arm -> factor, to rehearse a regression
    peaks: Mapping[str, float] = field(default_factory=dict)  # of this run
    longest_block_s: float = math.inf  # a scenario of longer ones is given up


def balanced_orders(arms: Sequence[str], num_blocks: int, rng: random.Random) -> list[list[str]]:
    """Draw the order of the arms for each block, so that every arm stands in every place equally often.

    Rotations of a freshly shuffled list, in random order, until they suffice.
    """
    orders: list[list[str]] = []
    while len(orders) < num_blocks:
        base = rng.sample(list(arms), len(arms))
        rotations = [base[i:] + base[:i] for i in range(len(base))]
        orders += rng.sample(rotations, len(rotations))
    return orders[:num_blocks]


def count_blocks(budget_s: float, block_s: float, min_blocks: int) -> int:
    """Return how many blocks a budget pays for, at least so many and at most MAX_BLOCKS.

    >>> count_blocks(0.4, 0.01, 6), count_blocks(0.4, 1.0, 6)
    (40, 6)
    """
    return min(MAX_BLOCKS, max(min_blocks, int(budget_s / block_s)))


class Blocks(Generic[R]):
    """State of one interleaved measurement: which block runs, what each arm took, what it returned last."""

    def __init__(self, calls: Mapping[str, Callable[[], R]], clock: Clock, rng: random.Random) -> None:
        self.calls, self.clock, self.rng = calls, clock, rng
        self.samples: dict[str, list[float]] = {arm: [] for arm in calls}
        self.repeats = dict.fromkeys(calls, 1)
        self.is_brief = False  # until the warm-up tells
        self.results: dict[str, R] = {}
        self.valid: list[bool] = []
        self._orders: Iterable[list[str]] = iter(())
        self._order: list[str] = []

    def prepare(self, arm: str) -> None:
        """Call an arm untimed right before it is timed, where blocks are brief."""
        if self.is_brief:
            self.results.pop(arm, None)
            self.calls[arm]()

    def run(self, arm: str) -> None:
        """Run one arm once, the anchor as often as it takes to last as long, and keep its seconds.

        What the arm returned before, a cache perhaps, is gone by then: of each arm there is one result at a time.
        """
        repeats = self.repeats[arm]
        self.results.pop(arm, None)
        timed = self.clock.measure(functools.partial(_repeated, self.calls[arm], repeats))
        self.samples[arm].append(timed.seconds / repeats)
        if arm != ANCHOR:  # whose result is nobody's
            self.results[arm] = timed.result

    def run_prepared(self, arm: str) -> None:
        """Prepare an arm, then run it."""
        self.prepare(arm)
        self.run(arm)

    def warm_up(self, budget_s: float) -> float:
        """Pay for allocation, match the anchor's duration to the arms'; return the seconds of a block, all calls in it.

        On a busy machine a call of a tenth of a millisecond slips between two time slices that a long one must share,
        so an anchor much shorter than the arms would not feel what slows them.
        """
        for _ in range(WARMUP_BLOCKS):
            for arm in self.calls:
                self.run(arm)
            seconds = {arm: samples[-1] for arm, samples in self.samples.items()}
            if sum(seconds.values()) > budget_s:
                break
        shortest_s = min(value for arm, value in seconds.items() if arm != ANCHOR)
        self.repeats[ANCHOR] = max(1, round(shortest_s / seconds[ANCHOR]))
        self.samples = {arm: [] for arm in self.calls}
        block_s = sum(seconds[arm] * self.repeats[arm] for arm in self.calls)
        self.is_brief = block_s < BRIEF_S
        return block_s + (sum(seconds.values()) if self.is_brief else 0.0)

    def plan(self, block_s: float, budget_s: float, min_blocks: int) -> int:
        """Draw the orders of as many blocks of so many seconds as the budget pays for; return how many."""
        num_blocks = count_blocks(budget_s, block_s, min_blocks)
        self._orders = iter(balanced_orders(list(self.calls), num_blocks, self.rng))
        return num_blocks

    def before_primary(self) -> None:
        """Begin a block: run the arms that stand before the primary one."""
        self._order = next(iter(self._orders))
        for arm in self._order[: self._order.index(PRIMARY)]:
            self.run_prepared(arm)
        self.prepare(PRIMARY)

    def after_primary(self) -> None:
        """End a block: run the arms that stand after the primary one, note whether the device was throttled."""
        for arm in self._order[self._order.index(PRIMARY) + 1 :]:
            self.run_prepared(arm)
        self.valid.append(not self.clock.throttled())

    def kept(self) -> dict[str, list[float]]:
        """Return the samples of the blocks in which the device was not throttled; all of them if it always was."""
        valid = self.valid if any(self.valid) else [True] * len(self.valid)
        return {arm: list(itertools.compress(values, valid)) for arm, values in self.samples.items()}

    def returned(self) -> dict[str, R]:
        """Return what each arm's last call returned."""
        return self.results


def _repeated(call: Callable[[], R], repeats: int) -> R:
    """Call so often and return the last result; those before it are gone, however large."""
    for _ in range(repeats - 1):
        call()
    return call()


def make_calls(call: Callable[[str], R], arms: Iterable[str], anchor: str, terms: Terms) -> dict[str, Callable[[], R]]:
    """Return what a block runs: the call bound to each arm, slowed where the terms say so, and the anchor.

    Raises:
        UnknownArm: the terms slow what is no arm of this scenario, nor a model or peer that another one may have.
        ValueError: the anchor's kind is unknown.
    """
    calls: dict[str, Callable[[], R]] = {arm: functools.partial(call, arm) for arm in arms}
    calls[ANCHOR] = make_anchor(anchor, terms.device, terms.dtype)  # type: ignore[assignment]  # its result is dropped
    known = [*calls, PRIMARY, *DENSE]
    if unknown := [arm for arm in terms.slowdowns if arm not in known and not is_peer(arm)]:
        raise UnknownArm(
            f"--inject must name arms of the scenario, {', '.join(calls)}, got {', '.join(unknown)}; correct the name, "
            "or select the scenarios that have it"
        )
    for arm, factor in terms.slowdowns.items():
        if arm in calls:
            calls[arm] = slowed(calls[arm], factor, terms.device)
    return calls
