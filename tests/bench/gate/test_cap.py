"""Tests of what is said where a machine is too noisy to say OK."""

import math
from dataclasses import replace

import pytest

from bench.gate.cap import UNJUDGEABLE, capped
from bench.gate.verdict import Change, ScenarioVerdict, Verdict
from tests.bench.sample_verdicts import change, said_of


def within(percent: float, verdict: Verdict = Verdict.OK, *, decides: bool = True) -> Change:
    return replace(change(verdict, estimate=0.0), tolerance=math.log1p(percent / 100), decides=decides)


def of(*changes: Change, verdict: Verdict = Verdict.OK) -> ScenarioVerdict:
    return said_of(verdict, *changes, where="MoE")


@pytest.mark.parametrize("found", [of(within(14.9)), of(within(5.0), within(14.99)), of(within(40.0, decides=False))])
def test_what_could_be_seen_to_15_percent_stays_ok(found: ScenarioVerdict) -> None:
    assert capped(found) == found


@pytest.mark.parametrize("percent", [15.1, 29.0, math.inf, math.nan])
def test_one_control_that_could_hide_more_leaves_the_row_inconclusive(percent: float) -> None:
    found = capped(of(within(5.0), within(percent)))
    assert (found.verdict, found.why) == (Verdict.INCONCLUSIVE, UNJUDGEABLE)
    assert [one.verdict for one in found.changes] == [Verdict.OK, Verdict.INCONCLUSIVE]
    assert "cannot be judged on this machine now, where OK must exclude a slowdown of 15 %" in found.why


def test_a_gain_in_one_control_does_not_cover_for_another_that_could_hide_a_loss() -> None:
    faster = of(within(20.0, Verdict.IMPROVED), within(30.0), verdict=Verdict.IMPROVED)
    assert capped(faster).verdict is Verdict.INCONCLUSIVE
    assert capped(of(within(20.0, Verdict.IMPROVED), verdict=Verdict.IMPROVED)).verdict is Verdict.IMPROVED


@pytest.mark.parametrize("verdict", [Verdict.REGRESSED, Verdict.WRONG, Verdict.UNFIT, Verdict.INCONCLUSIVE])
def test_what_is_not_green_stays_what_it_is(verdict: Verdict) -> None:
    found = of(within(40.0), within(40.0, Verdict.REGRESSED), verdict=verdict)
    assert capped(found) == found
