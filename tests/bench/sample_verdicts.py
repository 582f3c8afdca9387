"""Verdicts made up for tests of what is said of them."""

import math
from typing import Any

from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict

NAME = "bench_decode[tiny-b1]"


def change(verdict: Verdict, estimate: float = math.log(1.3), arm: str = "moe", against: str = "dense") -> Change:
    return Change(
        control=Control(arm=arm, against=against),
        interval=Interval(estimate, estimate - 0.01, estimate + 0.01),
        tolerance=math.log(1.1),
        verdict=verdict,
        suspect=False,
    )


def said_of(verdict: Verdict, *changes: Change, **fields: Any) -> ScenarioVerdict:
    return ScenarioVerdict(scenario=NAME, verdict=verdict, changes=changes, **fields)
