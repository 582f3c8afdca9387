"""Interleave the arms of one scenario in blocks of random balanced order, inside one pytest-benchmark measurement.

A block runs every arm once within a few milliseconds, so that what disturbs the machine disturbs all of them alike.
pytest-benchmark times the primary arm; the arms drawn before it run in its setup, those drawn after it in its teardown,
each on our clock.
"""

import functools
import gc
import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.clock import Clock, Timed, slowed
from bench.harness.metrics import Metric
from bench.harness.peaks import Cost, make_anchor

R = TypeVar("R")

PRIMARY = "moe"  # the arm whose entry is pytest-benchmark's own
ANCHOR = "anchor"
PEER = "/"  # in the name of an arm that runs another project's code, as in "transformers/eager"
WARMUP_BLOCKS = 2  # the first pays for allocation, the second sizes the run; one, where a block exceeds the budget
MIN_BLOCKS = 6  # the fewest whose median has a 95 % interval (2 * 0.5**6 < 0.05)
MAX_BLOCKS = 200  # more do not help: launches differ by more than this many blocks resolve


def is_peer(arm: str) -> bool:
    """Tell whether an arm is another project's: a yardstick that is shown beside ours and never judged.

    >>> is_peer("transformers/eager"), is_peer("dense_active")
    (True, False)
    """
    return PEER in arm


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and in which order a scenario is measured."""

    device: torch.device
    dtype: torch.dtype
    budget_s: float  # clock time to spend on the blocks of one scenario
    seed: int  # of the arms' order
    min_blocks: int = MIN_BLOCKS
    slowdowns: Mapping[str, float] = field(default_factory=dict)  # arm -> factor, to rehearse a regression


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The samples of one scenario in one launch, and what they mean."""

    metric: Metric
    num_units: int
    anchor: str
    samples: Mapping[str, Sequence[float]]  # by arm; index = block; in the metric's unit, per unit
    voided: int  # blocks dropped because the device was throttled
    rates: Mapping[str, float]  # metric name -> quantity per unit: divided by the median sample it is a throughput
    costs: Mapping[str, Cost]  # by arm, per unit
    hashes: Mapping[str, str]
    facts: Mapping[str, float]


def balanced_orders(arms: Sequence[str], num_blocks: int, rng: random.Random) -> list[list[str]]:
    """Draw the order of the arms for each block, so that every arm stands in every place equally often.

    Args:
        arms: names of the arms.
        num_blocks: how many orders are wanted.
        rng: source of randomness.

    Returns:
        One permutation of `arms` a block: rotations of a freshly shuffled list, in random order, until they suffice.
    """
    orders: list[list[str]] = []
    while len(orders) < num_blocks:
        base = rng.sample(list(arms), len(arms))
        rotations = [base[i:] + base[:i] for i in range(len(base))]
        orders += rng.sample(rotations, len(rotations))
    return orders[:num_blocks]


class Blocks(Generic[R]):
    """State of one interleaved measurement: which block runs, what each arm took, what it returned last."""

    def __init__(self, calls: Mapping[str, Callable[[], R]], clock: Clock, rng: random.Random) -> None:
        self.calls, self.clock, self.rng = calls, clock, rng
        self.samples: dict[str, list[float]] = {arm: [] for arm in calls}
        self.repeats = dict.fromkeys(calls, 1)
        self.results: dict[str, R] = {}
        self.valid: list[bool] = []
        self._orders: Iterable[list[str]] = iter(())
        self._order: list[str] = []

    def run(self, arm: str) -> None:
        """Run one arm once, the anchor as often as it takes to last as long, and keep its seconds."""
        call, repeats = self.calls[arm], self.repeats[arm]
        timed: Timed = self.clock.measure(call if repeats == 1 else lambda: [call() for _ in range(repeats)][-1])
        self.samples[arm].append(timed.seconds / repeats)
        self.results[arm] = timed.result  # type: ignore[assignment]  # the clock hands back what the call returned

    def warm_up(self, budget_s: float) -> float:
        """Pay for allocation, match the anchor's duration to the arms'; return the seconds of a block.

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
        return sum(seconds[arm] * self.repeats[arm] for arm in self.calls)

    def plan(self, num_blocks: int) -> None:
        """Draw the orders of that many blocks."""
        self._orders = iter(balanced_orders(list(self.calls), num_blocks, self.rng))

    def before_primary(self) -> None:
        """Begin a block: run the arms that stand before the primary one."""
        self._order = next(iter(self._orders))
        for arm in self._order[: self._order.index(PRIMARY)]:
            self.run(arm)

    def after_primary(self) -> None:
        """End a block: run the arms that stand after the primary one, note whether the device was throttled."""
        for arm in self._order[self._order.index(PRIMARY) + 1 :]:
            self.run(arm)
        self.valid.append(not self.clock.throttled())

    def kept(self) -> dict[str, list[float]]:
        """Return the samples of the blocks in which the device was not throttled; all of them if it always was."""
        valid = self.valid if any(self.valid) else [True] * len(self.valid)
        return {arm: list(itertools.compress(values, valid)) for arm, values in self.samples.items()}

    def returned(self) -> dict[str, R]:
        """Return what each arm's last call returned; the anchor's result is nobody's."""
        return {arm: result for arm, result in self.results.items() if arm != ANCHOR}


class Paired:
    """Measure the arms of one scenario; the fixture `paired` makes one for each test."""

    def __init__(self, benchmark: BenchmarkFixture, clock: Clock, plan: Plan) -> None:
        self.benchmark, self.clock, self.plan = benchmark, clock, plan
        self.measurement: Measurement | None = None

    def measure(
        self,
        call: Callable[[str], R],
        *,
        arms: Iterable[str],
        metric: Metric,
        anchor: str,
        num_units: int = 1,
        rates: Mapping[str, float] | None = None,
        costs: Mapping[str, Cost] | None = None,
        hashes: Mapping[str, str] | None = None,
        facts: Mapping[str, float] | None = None,
    ) -> dict[str, R]:
        """Time `call(arm)` for each arm and the anchor, interleaved, until the plan's budget is spent.

        Args:
            call: runs one arm once; must leave nothing behind that changes the next run.
            arms: names, "moe" among them.
            metric: what a sample is, for instance TPOT.
            anchor: name of the anchor of the same resource class: matmul, stream or dispatch.
            num_units: a sample is seconds / num_units (decode steps, calls).
            rates: throughput metric -> quantity per unit (tokens, requests).
            costs: arm -> FLOPs and bytes of one unit and of its parts, for MFU, MBU and floor.
            hashes: what identifies the inputs; another hash is another scenario.
            facts: numbers shown beside the times.

        Returns:
            What each arm's last call returned.
        """
        if not self.benchmark.enabled:
            return {arm: call(arm) for arm in arms}
        calls = make_calls(call, arms, anchor, self.plan)
        blocks = Blocks(calls, self.clock, random.Random(self.plan.seed))
        self._run(blocks)
        self.measurement = Measurement(
            metric=metric,
            num_units=num_units,
            anchor=anchor,
            samples={
                arm: [seconds / (1 if arm == ANCHOR else num_units) for seconds in values]
                for arm, values in blocks.kept().items()
            },
            voided=blocks.valid.count(False),
            rates=rates or {},
            costs=costs or {},
            hashes=hashes or {},
            facts=facts or {},
        )
        return blocks.returned()

    def _run(self, blocks: Blocks[R]) -> None:
        """Let pytest-benchmark drive the blocks, with the garbage collector still."""
        gc.collect()
        gc.disable()
        try:
            num_blocks = min(
                MAX_BLOCKS, max(self.plan.min_blocks, int(self.plan.budget_s / blocks.warm_up(self.plan.budget_s)))
            )
            blocks.plan(num_blocks)
            self.benchmark.pedantic(
                lambda: blocks.run(PRIMARY),
                setup=blocks.before_primary,
                teardown=blocks.after_primary,
                rounds=num_blocks,
            )
        finally:
            gc.enable()

    def observe(
        self,
        value_of: Callable[[str], float],
        *,
        arms: Iterable[str],
        metric: Metric,
        hashes: Mapping[str, str] | None = None,
        facts: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """Record one number an arm that is counted, not timed (bytes, accuracy).

        Args:
            value_of: returns the arm's value in the metric's unit.
            arms: names, "moe" among them.
            metric: what the number is.
            hashes: what identifies the inputs.
            facts: numbers shown beside it.

        Returns:
            The values by arm.
        """
        values = {arm: value_of(arm) for arm in arms if arm != PRIMARY}
        values[PRIMARY] = self.benchmark.pedantic(value_of, args=(PRIMARY,))
        self.measurement = Measurement(
            metric=metric,
            num_units=1,
            anchor="",
            samples={arm: [value] for arm, value in values.items()},
            voided=0,
            rates={},
            costs={},
            hashes=hashes or {},
            facts=facts or {},
        )
        return values


def make_calls(call: Callable[[str], R], arms: Iterable[str], anchor: str, plan: Plan) -> dict[str, Callable[[], R]]:
    """Return what a block runs: the call bound to each arm, slowed where the plan says so, and the anchor.

    Args:
        call: runs one arm once.
        arms: names of the arms.
        anchor: name of the anchor's kind.
        plan: device, dtype and slowdowns.
    """
    calls: dict[str, Callable[[], R]] = {arm: functools.partial(call, arm) for arm in arms}
    calls[ANCHOR] = make_anchor(anchor, plan.device, plan.dtype)  # type: ignore[assignment]  # its result is dropped
    for arm, factor in plan.slowdowns.items():
        if arm in calls:
            calls[arm] = slowed(calls[arm], factor, plan.device)  # type: ignore[assignment]  # returns what the call returns
    return calls
