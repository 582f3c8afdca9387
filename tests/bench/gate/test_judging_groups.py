"""Tests of verdicts on groups: means over scenarios, held against a spread that is a mean's."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.gate.baseline import OpenBaseline
from bench.gate.judging_groups import SMALLEST_TOLERANCE, groups_of, judge_groups
from bench.gate.verdict import Change, Verdict
from bench.harness.record import Scenario
from tests.bench.sample_records import opened_baseline, scenario

SD = 0.02
GROUPS = ("bench_decode[tiny-b{}]", "bench_vision[tiny-b{}]")
NAMES = [name.format(i) for name in GROUPS for i in range(8)]
RNG = np.random.default_rng(0)


def launch(sd: float = SD, **factors: float) -> dict[str, float]:
    spread = sd / math.sqrt(2)  # two arms make a ratio
    return {arm: factors.get(arm, 1.0) * math.exp(spread * RNG.normal()) for arm in ("moe", "dense", "anchor")}


BASE = {name: scenario(*(launch() for _ in range(8)), name=name) for name in NAMES}


def opened(same_fingerprint: bool = True) -> OpenBaseline:
    known = opened_baseline(*BASE.values(), same_fingerprint=same_fingerprint)
    return replace(known, groups=groups_of(BASE, known), num_judged=len(BASE))


def run_of(slow: str = "bench_", **factors: float) -> dict[str, Scenario]:
    """Return a run without noise of its own, in which scenarios whose id has `slow` take a factor of the time."""
    return {name: scenario(launch(0.0, **(factors if slow in name else {})), name=name) for name in NAMES}


def judged(new: dict[str, Scenario], known: OpenBaseline | None = None) -> dict[str, Verdict]:
    known = known or opened()
    return {group: said.verdict for group, said in judge_groups(new, known, known.groups, confirmed=True).items()}


def moe_dense(new: dict[str, Scenario], group: str) -> Change:
    known = opened()
    (change, *_) = judge_groups(new, known, known.groups)[group].changes
    assert str(change.control) == "moe/dense"
    return change


def test_each_benchmark_at_a_scale_is_judged_and_the_suite() -> None:
    assert list(judged(run_of())) == ["decode at tiny", "vision at tiny", "suite"]


def test_the_estimate_is_the_mean_over_scenarios_of_their_shifts() -> None:
    change = moe_dense(run_of("b1]", moe=1.16), "decode at tiny")
    means = [[math.log(BASE[n].arms["moe"].launches[i].samples[0] / BASE[n].arms["dense"].launches[i].samples[0])
              for n in NAMES[:8]] for i in range(8)]  # fmt: skip
    expected = np.median([math.log(1.16) / 8 - np.mean(launch) for launch in means])
    assert change.interval.estimate == pytest.approx(expected)


def test_a_slowdown_too_small_for_any_scenario_is_found_in_the_group_that_has_it() -> None:
    found = judged(run_of("decode", moe=1.045))
    assert (found["decode at tiny"], found["vision at tiny"]) == (Verdict.REGRESSED, Verdict.OK)
    assert found["suite"] is not Verdict.REGRESSED  # 2.2 % is within its least tolerance
    assert judged(run_of(moe=1.045))["suite"] is Verdict.REGRESSED


def test_a_group_is_held_to_the_spread_of_its_mean_and_to_a_scenarios_where_the_anchor_is_common() -> None:
    known = opened()
    changes = {str(c.control): c for c in judge_groups(run_of(), known, known.groups)["suite"].changes}
    error = {name: (c.interval.high - c.interval.estimate) / 1.96 for name, c in changes.items()}
    assert error["moe/dense"] == pytest.approx(SD * math.sqrt(9 / 8 / 16), rel=0.5)
    assert error["moe/anchor"] == pytest.approx(SD * math.sqrt(9 / 8), rel=0.3)
    assert changes["moe/dense"].tolerance == SMALLEST_TOLERANCE < changes["moe/anchor"].tolerance


def test_shared_code_that_is_slower_is_told_from_the_moe_alone() -> None:
    known = opened()
    alone, both = run_of(moe=1.3), run_of(moe=1.3, dense=1.3)
    for new, where in ((alone, "MoE"), (both, "shared code")):
        said = judge_groups(new, known, known.groups, confirmed=True)["suite"]
        assert (said.verdict, said.where) == (Verdict.REGRESSED, where)


def test_between_machines_of_a_kind_groups_are_judged_by_ratios_of_arms_alone() -> None:
    assert judged(run_of(moe=1.3, dense=1.3), opened(same_fingerprint=False))["suite"] is Verdict.OK


def test_a_first_launch_only_raises_suspicion() -> None:
    known = opened()
    said = judge_groups(run_of(moe=1.1), known, known.groups)["suite"]
    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.changes[0].suspect


def test_scenarios_on_other_inputs_or_not_at_hand_are_left_out_of_the_mean() -> None:
    new = run_of("decode", moe=1.3)
    hidden = {name: scenario(launch(0.0), name=name, hashes={"workload": "other"}) for name in NAMES[:7]}
    assert "decode at tiny" not in judged({**new, **hidden})  # a single scenario is left
    assert "decode at tiny" not in judged({name: new[name] for name in NAMES[7:]})


def test_what_is_counted_is_no_part_of_a_group() -> None:
    counted = {f"bench_memory[tiny-b{i}]": scenario({"moe": 1.0}, name=f"bench_memory[tiny-b{i}]") for i in range(3)}
    known = opened_baseline(*BASE.values(), *counted.values())
    assert groups_of({**BASE, **counted}, known) == groups_of(BASE, known)
