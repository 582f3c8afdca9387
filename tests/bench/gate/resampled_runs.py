"""Runs drawn from a baseline's own launches, or from a noise that is made up, and judged as `pytest bench` does.

What is drawn is a whole launch with all of its scenarios, so what they share in it stays shared: once for each of the
eight launches of the baseline that the run is held against, once for its first launch, once for each fresh process.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.gate.baseline import OpenBaseline
from bench.gate.controls import controls_of
from bench.gate.launch import Launcher
from bench.gate.readings import launch_values
from bench.gate.retest import STARTUP_S, retest
from bench.gate.suspects import judge_run
from bench.gate.verdict import Control, ScenarioVerdict, Verdict
from bench.harness.arms import ANCHOR, PRIMARY, TWIN
from bench.harness.record import Record, Scenario
from bench.harness.run import ScenarioTest
from tests.bench.sample_records import opened_baseline, record_of, scenario

NUM_BASELINE = 8
LEFT_S = 190.0  # of the default time budget after a first launch of `tiny` and `proxy`
SCENARIO_S = 1.0  # of a fresh launch
MOE_DENSE, DENSE_ANCHOR = Control(arm=PRIMARY, against=TWIN), Control(arm=TWIN, against=ANCHOR)

Launch_S = NDArray[np.float64]  # S: a log ratio a scenario


class Drawn(NamedTuple):
    """A launch of the suite."""

    moe_dense: Launch_S
    dense_anchor: Launch_S


Confirmed = tuple[dict[str, ScenarioVerdict], Mapping[str, Scenario]]
Population = Callable[[np.random.Generator], Drawn]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Scenarios, and how launches of them fall out."""

    params: Mapping[str, Mapping[str, object]]  # scenario id -> its parameters
    draw: Population


def suite_of(record: Record) -> Suite:
    """Return the timed scenarios of a baseline, with its launches as the population."""
    timed = [one for one in record.scenarios.values() if {PRIMARY, TWIN, ANCHOR} <= set(one.arms)]
    ratios = [_deviations([launch_values(one, control) for one in timed]) for control in (MOE_DENSE, DENSE_ANCHOR)]
    assert all(MOE_DENSE in controls_of(one) for one in timed)

    def draw(rng: np.random.Generator) -> Drawn:
        launch = rng.integers(ratios[0].shape[1])
        return Drawn(*(values[:, launch] for values in ratios))

    return Suite(params={one.id: one.arms[PRIMARY].params for one in timed}, draw=draw)


def _deviations(values_SL: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return deviations from each scenario's mean, widened to the spread of launches around the true one."""
    array = np.asarray(values_SL, dtype=np.float64)
    num = array.shape[1]
    widened: NDArray[np.float64] = (array - array.mean(1, keepdims=True)) * math.sqrt(num / (num - 1))
    return widened


@dataclass(frozen=True, kw_only=True)
class Drawing(Launcher):
    """Draws launches instead of starting processes, and lets the clock go on by what they would take."""

    suite: Suite
    rng: np.random.Generator
    advance: Callable[[float], None]
    slow: Mapping[str, float] = field(default_factory=dict)  # scenario -> factor of the MoE
    root: Path = Path()
    options: Sequence[str] = ()

    def samples(self, *, slow: bool) -> dict[str, dict[str, float]]:
        drawn = self.suite.draw(self.rng)
        return {
            name: {
                "moe": math.exp(drawn.moe_dense[i]) * (self.slow.get(name, 1.0) if slow else 1.0),
                "dense": 1.0,
                "anchor": math.exp(-drawn.dense_anchor[i]),
            }
            for i, name in enumerate(self.suite.params)
        }

    def baseline(self) -> OpenBaseline:
        launches = [self.samples(slow=False) for _ in range(NUM_BASELINE)]
        return opened_baseline(
            *(scenario(*(launch[s] for launch in launches), name=s, params=p) for s, p in self.suite.params.items())
        )

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:
        assert timeout_s > 0
        self.advance(STARTUP_S + SCENARIO_S * len(node_ids))
        launch = self.samples(slow=True)
        return record_of(*(scenario(launch[s], name=s, params=self.suite.params[s]) for s in node_ids))


class Judged(NamedTuple):
    """What a run comes to."""

    scenarios: Mapping[str, ScenarioVerdict]
    groups: Mapping[str, ScenarioVerdict]

    def alarms(self) -> list[str]:
        return [name for said in self for name, one in said.items() if one.verdict is Verdict.REGRESSED]

    def ends(self, verdict: Verdict) -> bool:
        return any(one.verdict is verdict for said in self for one in said.values())


def judged(machine: Drawing, left_s: float = LEFT_S) -> Judged:
    """Draw a baseline and a run, and judge it with `left_s` seconds for fresh launches."""
    opened, launch = machine.baseline(), machine.measure([*machine.suite.params], timeout_s=1)
    deadline = time.monotonic() + left_s

    def confirm(names: Sequence[str], groups: Sequence[str], opened: OpenBaseline) -> Confirmed:
        tests = {name: ScenarioTest(node_id=name, seconds=SCENARIO_S) for name in names}
        return retest(tests, opened, machine, groups=groups, deadline=deadline, on_launch=lambda *_counts: None)

    return Judged(*judge_run(launch.scenarios, opened, confirm, lambda _text: None))


class Clock:
    """Monotonic time that stands still but for what is added."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
