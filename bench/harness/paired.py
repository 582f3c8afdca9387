"""The fixture `paired`: one scenario's blocks of arms inside one pytest-benchmark measurement.

pytest-benchmark times the primary arm; the arms drawn before it run in its setup, those drawn after it in its teardown,
each on our clock.
"""

import gc
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.agreement import run_checks
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.blocks import Blocks, Terms, count_blocks, make_calls
from bench.harness.clock import Clock
from bench.harness.metrics import Metric
from bench.harness.peaks import Cost

R = TypeVar("R")


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
    check_s: float = 0.0  # that the checks of the arms' answers took


class Paired:
    """Measure the arms of one scenario; the fixture `paired` makes one for each test."""

    def __init__(self, benchmark: BenchmarkFixture, clock: Clock, terms: Terms) -> None:
        self.benchmark, self.clock, self.terms = benchmark, clock, terms
        self.measurement: Measurement | None = None

    def measure(
        self,
        call: Callable[[str], R],
        *,
        arms: Iterable[str],
        check: Callable[[str], None],
        metric: Metric,
        anchor: str,
        num_units: int = 1,
        rates: Mapping[str, float] | None = None,
        costs: Mapping[str, Cost] | None = None,
        hashes: Mapping[str, str] | None = None,
        facts: Mapping[str, float] | None = None,
    ) -> dict[str, R]:
        """Check each arm's answer, then time `call(arm)` and the anchor, interleaved, until the budget is spent.

        Args:
            call: runs one arm once; must leave nothing behind that changes the next run.
            arms: names, "moe" among them.
            check: compares one arm's answer with an oracle's, off the clock, before anything is warmed up or timed;
                runs under --benchmark-disable too.
            metric: what a sample is, for instance TPOT.
            anchor: name of the anchor of the same resource class: matmul, stream or dispatch.
            num_units: a sample is seconds / num_units (decode steps, calls).
            rates: throughput metric -> quantity per unit (tokens, requests).
            costs: arm -> FLOPs and bytes of one unit and of its parts, for MFU, MBU and floor.
            hashes: what identifies the inputs; another hash is another scenario.
            facts: numbers shown beside the times.

        Returns:
            What each arm's last call returned.

        Raises:
            WrongAnswer: an arm's answer does not agree with the oracle's; nothing is timed.
            UnknownArm: a slowdown is to be rehearsed on an arm that there is not.
            ValueError: the anchor's kind is unknown.
        """
        arms = list(arms)
        check_s = run_checks(check, arms)
        if not self.benchmark.enabled:
            return {arm: call(arm) for arm in arms}
        calls = make_calls(call, arms, anchor, self.terms)
        blocks = Blocks(calls, self.clock, random.Random(self.terms.seed))
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
            check_s=check_s,
        )
        return blocks.returned()

    def _run(self, blocks: Blocks[R]) -> None:
        """Let pytest-benchmark drive the blocks, with the garbage collector still."""
        gc.collect()
        gc.disable()
        try:
            block_s = blocks.warm_up(self.terms.budget_s)
            num_blocks = count_blocks(self.terms.budget_s, block_s, self.terms.min_blocks)
            blocks.draw_orders(num_blocks)
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
        if not self.benchmark.enabled:
            return values
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
