"""A worker's side of the lock-step: pytest collects and sets up, the parent says when each block runs.

`python -m bench.gate.ab.child ... --ab-worker=FD` registers a WorkerSession instead of the session that measures on
its own, and the fixture `paired` is a RemotePaired, which the scenarios cannot tell from Paired.
"""

import os
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.gate.ab.channel import (
    PROTOCOL,
    Abandon,
    Block,
    Channel,
    Chosen,
    Collected,
    Ended,
    Finish,
    Go,
    Profile,
    Ready,
    RunBlock,
    Warm,
    WarmUp,
    other_protocol,
)
from bench.gate.ab.operations import operation_seconds
from bench.harness.answers import DRAWS, sample_of
from bench.harness.arms import ANCHOR
from bench.harness.backends import RanOn, ran_on
from bench.harness.blocks import Blocks, Terms
from bench.harness.clock import Clock, make_clock
from bench.harness.heap import give_back
from bench.harness.measuring import setup_of
from bench.harness.metrics import Metric
from bench.harness.options import read_options
from bench.harness.paired import Paired

R = TypeVar("R")

WHY_SHOWN = 800  # first characters of what a scenario raised: tensors print themselves at length
ABANDONED = "the other side did not get as far"


class RemotePaired(Paired):
    """Measure the arms of one scenario when the parent says so."""

    is_timing = True

    def __init__(
        self,
        channel: Channel,
        benchmark: BenchmarkFixture,
        clock: Clock,
        terms: Terms,
        ran_on: Callable[[], RanOn],
    ) -> None:
        super().__init__(benchmark, clock, terms)
        self.channel, self.ran_on = channel, ran_on

    def _run(self, blocks: Blocks[R], metric: Metric, num_units: int, hashes: Mapping[str, str]) -> None:
        """Announce the scenario, then run its blocks one by one as long as the parent asks."""
        self._announce(list(blocks.calls), metric, hashes)
        self._serve(blocks, num_units)

    def _count(
        self, value_of: Callable[[str], float], arms: Iterable[str], metric: Metric, hashes: Mapping[str, str]
    ) -> dict[str, float]:
        """Count each arm once and announce the values."""
        values = {arm: float(value_of(arm)) for arm in arms}
        self._announce(list(values), metric, hashes, counts=values)
        if isinstance(self.channel.receive(), Abandon):
            pytest.skip(ABANDONED)
        return values

    def _announce(
        self, arms: Sequence[str], metric: Metric, hashes: Mapping[str, str], counts: Mapping[str, float] | None = None
    ) -> None:
        self.channel.send(
            Ready(
                arms=arms,
                metric=metric.name,
                hashes=dict(hashes),
                counts=counts,
                params={axis: str(value) for axis, value in (self.benchmark.params or {}).items()},
                answers={arm: vars(sample_of(answer, self.terms.seed)) for arm, answer in self.answers.items()},
                **self.ran_on()._asdict(),
            )
        )
        self.answers = {}  # they may lie in the device's memory

    def _serve(self, blocks: Blocks[R], num_units: int) -> None:
        while not isinstance(message := self.channel.receive(), Finish):
            match message:
                case WarmUp():
                    block_s = blocks.warm_up(self.terms.budget_s)
                    self.channel.send(
                        Warm(block_s=block_s, anchor_calls=blocks.repeats[ANCHOR], is_brief=blocks.is_brief)
                    )
                case RunBlock():
                    self.channel.send(run_block(blocks, message, num_units))
                case Profile():
                    self.channel.send(operation_seconds(blocks.calls[message.arm], self.terms.device))
                case Abandon():
                    pytest.skip(ABANDONED)
                case _:
                    raise TypeError(
                        f"a scenario that is ready takes WarmUp, RunBlock, Profile, Finish or Abandon, got {message}"
                    )


def run_block(blocks: Blocks[R], asked: RunBlock, num_units: int) -> Block:
    """Run each arm once in the order asked for; seconds are per unit, but the anchor's."""
    blocks.repeats[ANCHOR], blocks.is_brief = asked.anchor_calls, asked.is_brief
    for arm in asked.order:
        blocks.run_prepared(arm)
    seconds = {arm: blocks.samples[arm][-1] / (1 if arm == ANCHOR else num_units) for arm in asked.order}
    return Block(seconds=seconds, throttled=blocks.clock.throttled())


class WorkerSession:
    """The harness's plugin in a worker: the parent chooses what is run, and is told how each scenario ends."""

    def __init__(self, config: pytest.Config) -> None:
        descriptor = config.getoption("ab_worker")
        os.set_inheritable(descriptor, False)  # what a scenario starts must not keep the conversation open
        self.channel = Channel(socket.socket(fileno=descriptor))
        self.config, self.options = config, read_options(config)
        self.package = config.getoption("ab_package")
        self.clock: Clock | None = None
        self.ended: dict[str, Ended] = {}
        self.seed = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Pin device and threads; tell what was found; keep what the parent chooses, in its order."""
        found = {item.nodeid: item for item in items}
        self.setup = setup_of(self.config)
        self.clock = make_clock(self.setup["device"])
        self.channel.send(
            Collected(
                package_file=str(getattr(sys.modules[self.package], "__file__", "")),
                node_ids=list(found),
                protocol=PROTOCOL,
                num_threads=self.setup["num_threads"] if self.setup["device"].type == "cpu" else 0,
            )
        )
        chosen = self.channel.receive()
        assert isinstance(chosen, Chosen), "the parent answers with its choice"
        if why := other_protocol(chosen.protocol):
            raise pytest.UsageError(why)
        items[:] = [found[node_id] for node_id in chosen.node_ids]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Wait for the parent before anything of a scenario is set up: the other side may be measuring."""
        self.ended[nodeid] = Ended(outcome="passed")
        go = self.channel.receive()
        assert isinstance(go, Go), "the parent says when"
        give_back()
        self.seed = go.seed
        DRAWS.seed(go.seed)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Keep the first thing that went wrong."""
        report: pytest.TestReport = (yield).get_result()
        if call.excinfo and not report.passed and self.ended[item.nodeid].outcome == "passed":
            why = str(call.excinfo.value) or call.excinfo.typename
            self.ended[item.nodeid] = Ended(outcome=report.outcome, error=call.excinfo.typename, why=why[:WHY_SHOWN])

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell the parent how it ended, once everything is torn down."""
        self.channel.send(self.ended.pop(nodeid))

    def paired(self, benchmark: BenchmarkFixture) -> RemotePaired:
        """Return what a scenario measures with."""
        assert self.clock is not None, "a scenario is collected before it runs"
        terms = Terms(
            device=self.setup["device"],
            dtype=self.setup["dtype"],
            budget_s=self.options.scenario_budget_s,
            seed=self.seed,  # of samples; the parent draws the orders
            slowdowns=self.options.slowdowns,
        )
        return RemotePaired(self.channel, benchmark, self.clock, terms, lambda: ran_on(self.config))
