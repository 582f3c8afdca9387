"""The fixture `paired`: one scenario's blocks of arms inside one pytest-benchmark measurement.

pytest-benchmark times the primary arm; the arms drawn before it run in its setup, those drawn after it in its teardown,
each on our clock.
"""

import gc
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.agreement import run_checks
from bench.harness.anchors import WHOLE_OVER_HALF, whole_over_half
from bench.harness.answers import Answer, Check
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.blocks import Blocks, Terms, make_calls
from bench.harness.clock import Clock
from bench.harness.longest import LEAST_SHARE, floors_s, refusal
from bench.harness.metrics import Metric
from bench.harness.paths import check_paths
from bench.harness.peaks import Cost, floor_s

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The samples of one scenario in one launch, and what they mean."""

    metric: Metric
    num_units: int = 1
    anchor: str = ""
    samples: Mapping[str, Sequence[float]]  # by arm; index = block; in the metric's unit, per unit
    voided: int = 0  # blocks dropped because the device was throttled
    rates: Mapping[str, float] = field(default_factory=dict)  # throughput metric -> quantity per unit
    costs: Mapping[str, Cost] = field(default_factory=dict)  # by arm, per unit
    hashes: Mapping[str, str]
    facts: Mapping[str, float]
    paths: Mapping[str, str] = field(default_factory=dict)  # by arm, where the code has several
    kernels: Mapping[str, str] = field(default_factory=dict)  # by arm, where a machine's measurement chose them
    check_s: float = 0.0  # that the checks of the arms' answers took
    timed_s: float = 0.0  # inside the timed calls of all arms and the anchor, the warm-up's not counted


class Paired:
    """Measure the arms of one scenario; the fixture `paired` makes one for each test."""

    def __init__(self, benchmark: BenchmarkFixture, clock: Clock, terms: Terms) -> None:
        self.benchmark, self.clock, self.terms = benchmark, clock, terms
        self.measurement: Measurement | None = None
        self.answers: dict[str, Answer] = {}  # of the arms whose check returns one

    def measure(
        self,
        call: Callable[[str], R],
        *,
        arms: Iterable[str],
        check: Check,
        metric: Metric,
        anchor: str,
        num_units: int = 1,
        rates: Mapping[str, float] | None = None,
        costs: Mapping[str, Cost] | None = None,
        hashes: Mapping[str, str] | None = None,
        facts: Mapping[str, float] | None = None,
        paths: Mapping[str, str] | None = None,
        kernels: Mapping[str, str] | None = None,
    ) -> dict[str, R]:
        """Check each arm's answer, then time `call(arm)` and the anchor, interleaved, until the budget is spent.

        Args:
            call: runs one arm once; must leave nothing behind that changes the next run.
            arms: names, "moe" among them.
            check: compares one arm's answer with an oracle's, off the clock, before anything is warmed up or timed;
                runs under --benchmark-disable too. `ab` compares what it returns between the sides.
            metric: what a sample is, for instance TPOT.
            anchor: name of the anchor of the same resource class: matmul, stream or dispatch.
            num_units: a sample is seconds / num_units (decode steps, calls).
            rates: throughput metric -> quantity per unit (tokens, requests).
            costs: arm -> FLOPs and bytes of one unit and of its parts, for MFU, MBU and floor.
            hashes: what identifies the inputs; another hash is another scenario.
            facts: numbers shown beside the times.
            paths: arm -> its way through the code, where there are several; one for all that are compared.
            kernels: arm -> what its largest operations run on, where there is a choice: each arm has its best.

        Returns:
            What each arm's last call returned.

        Raises:
            WrongAnswer: an arm's answer does not agree with the oracle's; nothing is timed.
            UnknownArm: a slowdown is to be rehearsed on an arm that there is not.
            ValueError: the anchor's kind is unknown, or arms take different paths.
        """
        arms, paths = list(arms), paths or {}
        check_paths(paths)
        self._try_first(call, costs or {}, num_units)
        found, check_s = run_checks(check, arms)
        self.answers = {arm: answer for arm, answer in found.items() if answer is not None}
        if not self.is_timing:
            return {arm: call(arm) for arm in arms}
        bound = whole_over_half(anchor, self.terms.device, self.terms.dtype, self.clock)
        blocks = Blocks(make_calls(call, arms, anchor, self.terms), self.clock, random.Random(self.terms.seed))
        gc.collect()
        gc.disable()
        try:
            self._run(blocks, metric, num_units, hashes or {})
        finally:
            gc.enable()
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
            facts={**(facts or {}), **({} if bound is None else {WHOLE_OVER_HALF: bound})},
            paths=paths,
            kernels=kernels or {},
            check_s=check_s,
            timed_s=sum(blocks.repeats[arm] * sum(seconds) for arm, seconds in blocks.samples.items()),
        )
        return blocks.returned()

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
        values = self._count(value_of, arms, metric, hashes or {})
        if self.is_timing:
            samples = {arm: [value] for arm, value in values.items()}
            self.measurement = Measurement(metric=metric, samples=samples, hashes=hashes or {}, facts=facts or {})
        return values

    def give_up_long(self, costs: Mapping[str, Cost], num_units: int = 1) -> None:
        """Skip the scenario where the floors of its arms pass the longest block: before anything is built.

        Args:
            costs: by arm, the least work of one unit.
            num_units: as `measure` takes it.
        """
        if self.is_timing:
            self._give_up(floors_s(costs, num_units, self.terms.peaks), "by its floors")

    def _try_first(self, call: Callable[[str], R], costs: Mapping[str, Cost], num_units: int) -> None:
        """Skip the scenario where floors, or the share of its own that the first arm reaches, pass the longest block.

        That arm is called only where its block may be too long.
        """
        self.give_up_long(costs, num_units)
        least_s = floors_s(costs, num_units, self.terms.peaks)
        if self.is_timing and least_s and least_s > LEAST_SHARE * self.terms.longest_block_s:
            own_s = num_units * (floor_s(costs.get(PRIMARY), self.terms.peaks) or math.nan)
            took_s = self.clock.measure(lambda: call(PRIMARY)).seconds
            self._give_up(least_s * took_s / own_s, "by its floors and a first call")

    def _give_up(self, block_s: float | None, by: str) -> None:
        if why := refusal(block_s, self.terms.longest_block_s, by):
            pytest.skip(why)

    @property
    def is_timing(self) -> bool:
        """Tell whether pytest-benchmark measures; under --benchmark-disable each arm runs once."""
        return bool(self.benchmark.enabled)

    def _run(self, blocks: Blocks[R], _metric: Metric, _num_units: int, _hashes: Mapping[str, str]) -> None:
        """Let pytest-benchmark drive the blocks."""
        block_s = blocks.warm_up(self.terms.budget_s)
        self._give_up(block_s, "when warm")
        rounds = blocks.plan(block_s, self.terms.budget_s, self.terms.min_blocks)
        self.benchmark.pedantic(
            lambda: blocks.run(PRIMARY), setup=blocks.before_primary, teardown=blocks.after_primary, rounds=rounds
        )

    def _count(
        self, value_of: Callable[[str], float], arms: Iterable[str], _metric: Metric, _hashes: Mapping[str, str]
    ) -> dict[str, float]:
        values = {arm: value_of(arm) for arm in arms if arm != PRIMARY}
        return {**values, PRIMARY: self.benchmark.pedantic(value_of, args=(PRIMARY,))}
